"""A test callback: one message, sent to a source for tests just as the platform would send it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.errors import ConfigurationError, YizhanError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.look.archive import Archive

_FIRST_ORDER: Final = 2_745_000_000_000_000_000
_MAX_DIGITS: Final = 19
_SHOWN: Final = 500
_OK: Final = 200
_NAMED: Final = ("status", "callback_id")


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """A message that can be sent: its type, what it says, the events that are made of it."""

    name: str
    meaning: str
    event_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrialSource:
    """A source that test callbacks can be sent to, and which."""

    name: str
    dialect: str
    messages: tuple[KnownMessage, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said to one; `text` is the beginning of its body. `outcome` is its word for
    what it did, such as `stored`; it and `callback_id` are None where it names none.
    """

    status: int
    text: str
    outcome: str | None = None
    callback_id: str | None = None

    @classmethod
    def read(cls, status: int, body: bytes) -> Answer:
        """From what came."""
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        words = found if isinstance(found, dict) else {}
        named = [word if isinstance(word := words.get(name), str) else None for name in _NAMED]
        return cls(status, body.decode("utf-8", "replace")[:_SHOWN], *named)

    @property
    def is_taken(self) -> bool:
        """Whether it took the callback."""
        return self.status == _OK


class UnreachableError(YizhanError):
    """The receiver did not answer; its text says why, and where it was looked for."""


class CallbackSender(Protocol):
    """Sends to the receiver of one installation."""

    @property
    def sources(self) -> Sequence[TrialSource]:
        """Those that are for tests: marked `simulated`, and of a dialect that can be played."""

    async def send(self, source: TrialSource, message_type: str, order: int) -> Answer:
        """Push it; raises `UnreachableError`."""


def new_order_id() -> str:
    """An id as orders have them, which none had before."""
    return str(_FIRST_ORDER + secrets.randbelow(10**17))


def chosen_source(sender: CallbackSender, name: str) -> TrialSource:
    """The source of a name; raises `ConfigurationError`, as for one that real callbacks come to."""
    found = {source.name: source for source in sender.sources}
    if name in found:
        return found[name]
    known = ", ".join(found) or "none is"
    raise ConfigurationError(
        f"source {name}: test callbacks go only to sources marked simulated = true: {known}"
    )


async def send_test(
    sender: CallbackSender,
    source_name: str,
    message_type: str,
    order_id: str,
    trail: AuditTrail | None = None,
    archive: Archive | None = None,
) -> Answer:
    """Send one about an order, recorded on `trail`; raises `ConfigurationError` for what cannot be
    sent, such as one about an order that `archive` knows to be real, and `UnreachableError`.
    """
    source = chosen_source(sender, source_name)
    if message_type not in {message.name for message in source.messages}:
        raise ConfigurationError(
            f"type {message_type or '(none)'}: is no message of {source.dialect} that is known: "
            "`yizhan events` lists them"
        )
    order = _number(order_id)
    if archive is not None:
        await _check_invented(archive, order_id)
    if trail is None:
        return await sender.send(source, message_type, order)
    of = {"type": message_type, "order": order_id}
    async with trail.act("test-callback", target=source.name, filters=of) as act:
        answer = await sender.send(source, message_type, order)
        if not answer.is_taken:
            act.outcome, act.error = "failed", f"the receiver answered {answer.status}"
    return answer


async def _check_invented(archive: Archive, order_id: str) -> None:
    """Handlers keep one state of an order, whatever source its events are of."""
    chosen = selection.events(Filters(order_id=order_id), archive.subjects)
    async with aclosing(archive.reader.read(chosen, headers_only=True)) as events:
        async for event in events:
            if event.headers.get("ce-simulated") != "true":
                raise ConfigurationError(
                    f"order {order_id}: is a real one, with event #{event.stream_seq}: choose an "
                    "id that no order has"
                )


def _number(text: str) -> int:
    fits = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not fits or text.startswith("0"):
        raise ConfigurationError(
            f"order {text or '(none)'}: write its id, 1 to {_MAX_DIGITS} digits, the first not 0"
        )
    return int(text)
