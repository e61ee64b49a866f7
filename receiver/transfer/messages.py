"""The message that a line of an export becomes in another stream. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.headers import FIRED_SEQ, IMPORTED_FROM, SET_BY, STORED_AT
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.subjects import Subjects
from receiver.errors import DecodingError
from receiver.transfer.line import Line
from receiver.transfer.manifest import Manifest

TTL: Final = "Nats-TTL"
_AT: Final = "Nats-Schedule"
_TARGET: Final = "Nats-Schedule-Target"
_FIRED_TTL: Final = "Nats-Schedule-TTL"
_SUBJECT: Final = "yizhan-subject"
_SEQUENCES: Final = ("yizhan-streamseq", FIRED_SEQ, SET_BY)
"""Headers that name a message by its sequence in the main stream."""


class ExpiredError(Exception):
    """Its time to live is over."""


class Translation:
    """Takes lines of one export to where another root, at another time, has their messages.

    `placed` gives the sequence here of a message that had one there.
    """

    def __init__(
        self,
        manifest: Manifest,
        subjects: Subjects,
        *,
        placed: Callable[[int], int | None],
        clock: Callable[[], datetime],
    ) -> None:
        self._manifest = manifest
        self._there = Subjects(manifest.root)
        self._here = subjects
        self._placed = placed
        self._clock = clock

    def rooted(self, line: Line) -> StoredMessage:
        """The message below our root, with where it comes from; raises `DecodingError` where it
        does not lie below the export's.
        """
        stored = line.stored
        origin = f"{line.stream} {self._manifest.created(line.stream)} {stored.stream_seq}"
        headers = {
            **stored.headers,
            STORED_AT: stored.headers.get(STORED_AT) or stored.stored_at.isoformat(),
            IMPORTED_FROM: stored.headers.get(IMPORTED_FROM) or origin,
        }
        return replace(stored, nats_subject=self.subject(stored.nats_subject), headers=headers)

    def subject(self, there: str) -> str:
        """A subject of the export, below our root; raises `DecodingError` for one of another."""
        state, root = self._there.state(""), f"{self._there.root}."
        if there.startswith(state):
            return self._here.state(there.removeprefix(state))
        if there.startswith(root):
            return f"{self._here.root}.{there.removeprefix(root)}"
        raise DecodingError(f"its subject is not below {self._there.root}")

    def message(self, stored: StoredMessage) -> OutgoingMessage:
        """What to publish of a `rooted` message; raises `ExpiredError`.

        What the server had its publisher say (`Nats-…`) is left out, but for the id and the rest of
        the time to live.
        """
        kept = self._kept(stored.headers)
        if MSG_ID in stored.headers:
            kept[MSG_ID] = stored.headers[MSG_ID]
        if (left := self.left(stored)) is not None:
            kept[TTL] = f"{max(1, int(left.total_seconds()))}s"
        return _message(stored, kept)

    def schedule(self, stored: StoredMessage) -> OutgoingMessage:
        """The same of what a handler put off: it fires when it would have."""
        kept = self._kept(stored.headers)
        if (at := stored.headers.get(_AT)) is not None:
            kept[_AT] = at
            kept[_TARGET] = self.subject(stored.headers.get(_TARGET, ""))
            kept[_FIRED_TTL] = stored.headers.get(_FIRED_TTL, "never")
        elif (left := self.left(stored)) is not None:
            kept[TTL] = f"{max(1, int(left.total_seconds()))}s"
        return _message(stored, kept)

    def left(self, stored: StoredMessage) -> timedelta | None:
        """What is left of its time to live; None where it has none. Raises `ExpiredError`."""
        digits = stored.headers.get(TTL, "").removesuffix("s")
        if not digits.isdecimal():
            return None
        left = stored.stored_at + timedelta(seconds=int(digits)) - self._clock()
        if left <= timedelta(0):
            raise ExpiredError
        return left

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        kept = {n: text for n, text in headers.items() if not n.lower().startswith("nats-")}
        for name in _SEQUENCES:
            seq = kept.get(name, "")
            if seq.isdecimal() and (here := self._placed(int(seq))) is not None:
                kept[name] = str(here)
        if _SUBJECT in kept:
            kept[_SUBJECT] = self.subject(kept[_SUBJECT])
        return kept


def _message(stored: StoredMessage, headers: Mapping[str, str]) -> OutgoingMessage:
    """Without an id of its own a message is identified by where it comes from."""
    lines = "".join([f"{name}: {text}\r\n" for name, text in headers.items()])
    name = headers.get(MSG_ID) or headers[IMPORTED_FROM]
    return OutgoingMessage(stored.nats_subject, name, lines.encode(), stored.body)
