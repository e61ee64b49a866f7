"""Raw callbacks that the stream keeps for less time than it keeps events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import OnResult, Submitter
from receiver.bus.subjects import Subjects


class RawAge:
    """Gives each raw callback its lifetime, from when it is stored (`Nats-TTL`).

    What is in quarantine has none: nothing else holds what it said.
    """

    def __init__(self, subjects: Subjects, age: timedelta) -> None:
        self._raw = subjects.raw("")
        self._line = b"Nats-TTL: %ds\r\n" % int(age.total_seconds())

    def limited(self, messages: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        """The messages of one callback, of which the raw one comes first."""
        raw, *events = messages
        if not raw.subject.startswith(self._raw):
            return messages
        return [raw._replace(head=raw.head + self._line), *events]


class RawAgeSubmitter:
    """A `Submitter` for callbacks whose raw messages have a lifetime."""

    def __init__(self, submitter: Submitter, age: RawAge) -> None:
        self._submitter = submitter
        self._age = age
        self.used_by = submitter.used_by

    def submit(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
    ) -> None:
        """As the other's."""
        self._submitter.submit(self._age.limited(messages), claim, on_result)
