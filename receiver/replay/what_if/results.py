"""What is found of one run: what was done then, what today's code would do. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from receiver.worker.effects.states import EffectRecord

Verdict = Literal["same", "differs", "new", "cannot_tell"]
"""`new`: no run is recorded that could be compared. `cannot_tell`: the handler asked for something
that nothing answers, so what it would do next is not known."""
NO_RECORD: Final = "no record"
NOT_TAKEN: Final = "not taken"
"""The outcome where the handler is not registered for the event."""


@dataclass(frozen=True, slots=True)
class Made:
    """An event that a run published; all is None where it was not found among those stored."""

    event_type: str | None = None
    order_id: str | None = None
    data: Any = None

    @property
    def kind(self) -> str:
        """Its type, in words where that is not known."""
        return self.event_type or "an event that was not found"


@dataclass(frozen=True, slots=True)
class Called:
    """A call of the platform's API: `row` as in a run record, `answer` what it was answered from;
    None where nothing was, empty for a call that was made then.
    """

    row: str
    changes_state: bool
    answer: str | None = ""


@dataclass(frozen=True, slots=True)
class Did:
    """What one run did. `error_digest` is the fingerprint of what it failed with, `error` its text,
    which is not on record. `published_count` and `calls_count` go beyond what is listed of a run
    then. `effects` are the names of those whose body ran. Of timers that were set or cancelled then
    there is no record.
    """

    outcome: str
    at: datetime | None = None
    attempt: int = 1
    error: str = ""
    error_digest: str | None = None
    published: Sequence[Made] = ()
    published_count: int = 0
    calls: Sequence[Called] = ()
    calls_count: int = 0
    scheduled: Mapping[str, datetime] = field(default_factory=dict)
    cancelled: Sequence[str] = ()
    effects: Sequence[str] = ()
    logs: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of today's code did; the effects whose bodies ran; what it asked for in vain."""

    did: Did
    effects: Sequence[EffectRecord] = ()
    unanswered: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which the two runs differ, such as `published[0].data.status`."""

    field: str
    then: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Result:
    """One run compared. `timer` is the key of the timer that it is the run of; `unanswered` is what
    the handler asked for in vain.
    """

    event_id: str
    event_type: str
    channel: str
    order_id: str | None
    stream_seq: int
    timer: str | None
    verdict: Verdict
    then: Did
    now: Did
    differences: Sequence[Difference] = ()
    unanswered: Sequence[str] = ()


@dataclass(slots=True)
class Summary:
    """How many runs there were of each verdict; `unanswered` counts what was asked for in vain."""

    runs: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count one more."""
        self.runs += 1
        self.verdicts[result.verdict] += 1
        self.fields.update({_top(d.field) for d in result.differences})
        self.unanswered.update(set(result.unanswered))

    @property
    def all_same(self) -> bool:
        """Whether every run did what it did then."""
        return self.verdicts["same"] == self.runs


def _top(field_name: str) -> str:
    return field_name.partition("[")[0].partition(".")[0]
