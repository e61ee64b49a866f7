"""The second verdict: what the data of a reply says of its own call. Performs no I/O.

An outer 200 does not prove that anything was done (docs/platform/api.md#verdict-within-data).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from receiver.client.spelling import respelled
from receiver.messages.json_text import decoded
from receiver.messages.reading import read_leniently
from schemas.api.reply import Confirmation, ReplyModel, Verdict

_WRAPPERS: Final = ("result", "data")
_MAX_DEPTH: Final = 3
_NO_ERROR: Final = frozenset({"0", "200", "success", "ok", "none"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call was not carried out, as far as the data says it."""

    code: str | None
    reason: str | None


def refusal_in(data: Any, read: object) -> Refusal | None:
    """The refusal that `data` is; None where it is none, or where something was accomplished.

    `read` is what the data was read as. A refusal is `success` that is false, an error code without
    `success`, or a filled list of what was refused.
    """
    if isinstance(read, ReplyModel) and read.accomplished():
        return None
    refused = next(filter(_is_refusal, _verdicts(data)), None)
    listed = _listed(read)
    if isinstance(read, Confirmation) and read.success is False:
        refused = refused or Verdict()
    if refused is None:
        return listed
    return Refusal(
        refused.error_code or refused.code or (listed.code if listed else None),
        refused.reason or (listed.reason if listed else None),
    )


def _verdicts(data: Any) -> Iterator[Verdict]:
    held = decoded(data, "data")
    for _ in range(_MAX_DEPTH):
        if not isinstance(held, dict):
            return
        yield read_leniently(Verdict, respelled(Verdict, held), "data")[0]
        inner = (decoded(held.get(name), "data") for name in _WRAPPERS)
        held = next((part for part in inner if isinstance(part, dict)), None)


def _is_refusal(verdict: Verdict) -> bool:
    if verdict.success is not None:
        return not verdict.success
    return (verdict.error_code or "none").lower() not in _NO_ERROR


def _listed(read: object) -> Refusal | None:
    """The first of what the reply lists as refused."""
    refused = read.refused() if isinstance(read, ReplyModel) else ()
    if not refused:
        return None
    entry = refused[0]
    if isinstance(entry, str):
        return Refusal(None, None)
    return Refusal(
        _first(entry, "error_code", "result_code"),
        _first(entry, "error_message", "error_msg", "message", "reason"),
    )


def _first(entry: BaseModel, *names: str) -> str | None:
    return next((value for name in names if (value := getattr(entry, name, None))), None)
