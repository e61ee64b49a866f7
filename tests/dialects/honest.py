"""The fixtures' messages taken apart, so that tests can write them in another way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.settings import DialectName, SourceSettings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FILES = sorted((Path(__file__).parents[1] / "fixtures" / "messages").glob("*/*.json"))
SOURCES = {name: SourceSettings(name="s", dialect=name, verification="none") for name in DIALECTS}
BODY_NAMES = {"xport": "messageBody", "aop": "data", "global": "data"}


@dataclass(frozen=True, slots=True)
class Honest:
    """A fixture with its JSON taken apart; `wrapped` is a body again."""

    name: str
    dialect: DialectName
    outer: dict[str, Any] = field(repr=False)

    def wrapped(self, text: str | bytes) -> bytes:
        data = text.encode() if isinstance(text, str) else text
        return urlencode({"message": data}).encode() if self.dialect == "aop" else data

    @property
    def body(self) -> Any:
        return self.outer[BODY_NAMES[self.dialect]]

    def read(self, body: Any) -> Callback:
        """The callback with another body."""
        return read(self, json.dumps(self.outer | {BODY_NAMES[self.dialect]: body}))


def honest(file: Path) -> Honest:
    held = json.loads(file.read_text(encoding="utf-8"))
    body = parse_qs(held["body"])["message"][0] if held["dialect"] == "aop" else held["body"]
    outer = json.loads(body)
    if isinstance(outer.get("messageBody"), str):
        outer["messageBody"] = json.loads(outer["messageBody"])
    return Honest(f"{file.parent.name}-{file.stem}", held["dialect"], outer)


HONEST = [honest(file) for file in FILES]
KNOWN = [
    message
    for message in HONEST
    if not any(word in message.name for word in ("product", "unknown", "authorization", "without"))
    and not message.name.endswith(("modify_adress", "warehouse_outbound"))
]
"""The messages of which every field is known: not one makes `unknown.received`."""


def parsed(dialect: DialectName, body: bytes) -> Callback:
    """Raises `MalformedCallbackError`; a console check is none of these messages."""
    request = InboundRequest(SOURCES[dialect], (), body, NOW)
    callback = DIALECTS[dialect].parse(VerifiedRequest(request, Proof("none")))
    assert isinstance(callback, Callback)
    return callback


def read(message: Honest, text: str | bytes) -> Callback:
    """The callback whose JSON is written as `text`."""
    return parsed(message.dialect, message.wrapped(text))


def containers(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every object and list below `value`, with its path."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in parts:
        if isinstance(part, dict | list):
            yield (*here, key), part
            yield from containers(part, (*here, key))


def leaves(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every text, number and null below `value`, with its path."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(part, dict | list):
            yield from leaves(part, (*here, key))
        else:
            yield (*here, key), part


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """A copy of `value` with `by` at a path."""
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy
