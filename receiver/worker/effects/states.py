"""What is kept of an effect, and how it may change. Performs no I/O.

claimed    its body is about to run or runs, in one process, by a deadline
done       it ran to its end; with its result
released   it did not happen, as far as is known for sure: it may be claimed again
in_doubt   its body began, and what became of it is not known
settled    an operator said what became of it
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from receiver.errors import DecodingError

State = Literal["claimed", "done", "released", "in_doubt", "settled"]
Answer = Literal["runs", "ended", "gone", "silent"]
"""What a process says of an effect that it claimed: its body runs; it does not; or the process is
gone; or no answer came."""

TRANSITIONS: Final[Mapping[State | None, frozenset[State]]] = MappingProxyType(
    {
        None: frozenset({"claimed"}),
        "claimed": frozenset({"done", "released", "in_doubt"}),
        "released": frozenset({"claimed"}),
        "in_doubt": frozenset({"done", "released", "settled"}),
        "settled": frozenset({"claimed"}),
        "done": frozenset(),
    }
)
"""What may follow each state; None is that of an effect that was never tried. What is settled is
claimed again only where it did not happen."""


class EffectRecord(BaseModel):
    """An effect as the state stream keeps it, in JSON.

    `fact` is the fact id or the handler's own key, `event_seq` the event's place in the stream,
    where it has one. `claim` is the random id of the last claim,
    `worker` the process that made it, in its run `attempt`; `process` is that of the operating
    system, `server` the id of the NATS server on which it could be asked. `at` is when the state
    was entered. A body that runs ends by `deadline`. `result` is of what is done; `unkept` says why
    there is none. `why` is of what is in doubt. `happened`, `by` and `note` are of what is settled.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: State
    handler: str
    name: str
    fact: str
    event_id: str
    event_seq: int | None = None
    event_type: str
    order_id: str | None = None
    claim: str
    worker: str
    attempt: int
    process: str | None = None
    server: str | None = None
    at: datetime
    deadline: datetime
    result: Any = None
    unkept: str | None = None
    why: str | None = None
    happened: bool | None = None
    by: str | None = None
    note: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it happened, so that its body does not run any more."""
        return self.state == "done" or (self.state == "settled" and self.happened is True)

    def moved(self, state: State, at: datetime, **changes: Any) -> EffectRecord:
        """The same in another state; raises `ValueError` where that may not follow."""
        check_transition(self, state)
        return self.model_copy(update={"state": state, "at": at, **changes})

    def encoded(self) -> bytes:
        """As the stream keeps it."""
        return self.model_dump_json(exclude_none=True).encode()


def check_transition(record: EffectRecord | None, state: State) -> None:
    """Raise `ValueError` where `state` may not follow what is kept."""
    before = record.state if record else None
    if state not in TRANSITIONS[before] or (record is not None and record.is_over):
        raise ValueError(f"an effect that is {before or 'new'} cannot become {state}")


def why_in_doubt(answer: Answer, *, late: bool) -> str | None:
    """Why what is claimed is in doubt, by what the process that claimed it answers, and whether its
    time is up; None while the body may run.
    """
    if answer == "runs" or (answer == "silent" and not late):
        return None
    if answer == "silent":
        return "the process that ran it does not answer, and its time is up"
    return "the process that ran it ended" if answer == "gone" else "its end was not stored"


def read_record(value: bytes) -> EffectRecord:
    """What `encoded` gave; raises `DecodingError` for anything else."""
    try:
        return EffectRecord.model_validate_json(value)
    except ValidationError as error:
        raise DecodingError("an entry of the ledger cannot be read") from error
