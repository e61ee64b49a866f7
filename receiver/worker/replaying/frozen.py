"""What a plan selected for one target: a part of the stream, and which messages. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.history import Span
from receiver.bus.read.selection import HeaderTest
from receiver.bus.subjects import Subjects
from receiver.worker.replaying.record import ReplayRecord


@dataclass(frozen=True, slots=True)
class Frozen:
    """The events of a plan that go to one target."""

    nats_subjects: tuple[str, ...]
    first_seq: int
    last_seq: int
    wanted: frozenset[int]
    tests: tuple[HeaderTest, ...]
    count: int

    @classmethod
    def of(cls, record: ReplayRecord, target: str, subjects: Subjects) -> Frozen:
        """Those of a record; what its filters said of letters and times is in its bounds."""
        wanted = record.wanted()
        filters = replace(
            record.chosen(), since=None, until=None, limit=None, handler=None, cause=None
        )
        tests = () if wanted else selection.events(filters, subjects).tests
        return cls(
            tuple(record.nats_subjects[target]),
            record.first_seq,
            record.last_seq,
            wanted,
            tuple(tests),
            record.count,
        )

    @property
    def span(self) -> Span:
        """What is to be read for it."""
        return Span(self.nats_subjects, first_seq=self.first_seq, last_seq=self.last_seq)

    def keeps(self, stored: StoredMessage) -> bool:
        """Whether a message of the span is selected."""
        if self.wanted:
            return stored.stream_seq in self.wanted
        return all(test.holds(stored.headers) for test in self.tests)
