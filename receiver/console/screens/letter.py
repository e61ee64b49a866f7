"""One dead letter: why, after which attempts, and its event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.screen import Asked, GoneError, Screen, is_sequence
from receiver.operations.look.documents import moment
from receiver.operations.repair.letters import letter_view


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that failed: when it began, the fingerprint of its error, and where that arose."""

    at: datetime | None
    digest: str
    place: str


@dataclass(frozen=True, slots=True)
class LetterView:
    """A letter; `event` is the document of its event, masked unless it is revealed."""

    title: str
    command: str
    seq: int
    handler: str
    cause: str | None
    reason: str
    place: str | None
    at: datetime | None
    attempts: int | None
    history: tuple[Attempt, ...]
    code_version: str | None
    traceback: str
    event: dict[str, Any]
    is_revealed: bool


async def read(desk: Desk, asked: Asked) -> LetterView:
    """Raises `GoneError` where it was given back, or dropped."""
    text = asked.path["seq"]
    stored = None
    if is_sequence(text):
        stored = await desk.letters.reader.get(desk.subjects.dead_stream, int(text))
    if stored is None:
        raise GoneError(
            f"There is no dead letter #{text} (any more): it was given back or dropped."
        )
    return view(letter_view(stored, reveal=asked.reveal), revealed=asked.reveal)


def view(document: dict[str, Any], *, revealed: bool) -> LetterView:
    """The page of the document of `yizhan dead show`."""
    letter = document["letter"]
    seq = letter["stream_seq"]
    return LetterView(
        title=f"Dead letter #{seq}",
        command=f"yizhan dead show '#{seq}'{' --reveal' if revealed else ''}",
        seq=seq,
        handler=letter["handler"] or "",
        cause=letter["cause"],
        reason=letter["reason"] or "no reason is given",
        place=letter["place"],
        at=moment(letter["at"]),
        attempts=letter["attempts"],
        history=tuple(map(_attempt, filter(_is_whole, letter["history"]))),
        code_version=letter["code_version"],
        traceback=letter["traceback"] or "",
        event=document["event"],
        is_revealed=revealed,
    )


def _is_whole(attempt: Any) -> bool:
    return isinstance(attempt, dict)


def _attempt(attempt: dict[str, Any]) -> Attempt:
    return Attempt(
        at=moment(str(attempt.get("time") or "")),
        digest=str(attempt.get("digest") or ""),
        place=str(attempt.get("place") or ""),
    )


SCREEN: Final = Screen(name="letter", path="/dead/{seq}", template="letter.html", read=read)
