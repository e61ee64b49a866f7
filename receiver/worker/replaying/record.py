"""What is kept of a replay, and the marks of what it delivers. Performs no I/O.

planned      its selection is frozen; it can be run for a day
running      a process gives what is selected, or workers do
interrupted  it was stopped and goes on where it was when it is run again
finished     all that is selected was given
cancelled    it is over before that
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from receiver.bus.headers import FORCED, REPLAY
from receiver.bus.read.filters import Filters
from receiver.bus.replay_consumers import ReplayConsumer
from receiver.errors import ConfigurationError, DecodingError

State = Literal["planned", "running", "interrupted", "finished", "cancelled"]
PLAN_LIFE: Final = timedelta(hours=24)
BEGUN_LIFE: Final = timedelta(days=30)
"""For how long a replay can be resumed, and its report asked for."""
MAX_SEQUENCES: Final = 50_000
"""So many single events a plan holds, in the one message that it is."""
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
HANDLER: Final = "handler:"
SUBJECT: Final = "subject:"
FILE: Final = "file:"
REPARSE: Final = "reparse"
PREFIX: Final = "replay"
"""The first token of the keys."""


class Sample(BaseModel):
    """One of the events selected."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seq: int
    event_type: str
    order_id: str | None
    stored_at: datetime


class ReplayRecord(BaseModel):
    """A replay as the state stream keeps it, in JSON.

    `plan` is a random id of its own. `filters` are the fields of `Filters` that were given, and
    `sequences` the events alone that are meant, as differences; both were looked up once, when the
    bounds were fixed: what lies in the stream from `first_seq` to `last_seq`, `count` events.
    `nats_subjects` are what a consumer of it takes, for each target. `of_stream` is when the stream
    was made: in another one the sequences mean other events. `code` are the versions of the
    handlers' code. `forecast` is what was foreseen for each handler. `done` are the targets that
    got everything. `runner` is the process that gives it, where no worker does.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    plan: str
    state: State
    root: str
    of_stream: str
    by: str
    planned_at: datetime
    expires_at: datetime
    filters: dict[str, str] = {}
    sequences: list[int] = []
    targets: list[str]
    nats_subjects: dict[str, list[str]] = {}
    first_seq: int
    last_seq: int
    count: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: list[Sample] = []
    app: str = ""
    code: dict[str, str] = {}
    forecast: list[dict[str, Any]] = []
    rate: float = 50.0
    ramp_s: float = 0.0
    forced: bool = False
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    done: list[str] = []
    runner: str = ""

    @property
    def key(self) -> str:
        """Where it is kept."""
        return replay_key(self.name)

    @property
    def label(self) -> str:
        """What distinguishes it from others of its name."""
        return f"{self.name}.{self.plan}"

    @property
    def handlers(self) -> Sequence[str]:
        """The handlers that it goes to."""
        return [to.removeprefix(HANDLER) for to in self.targets if to.startswith(HANDLER)]

    @property
    def handlers_left(self) -> Sequence[str]:
        """Those of them that did not get everything yet."""
        return [name for name in self.handlers if f"{HANDLER}{name}" not in self.done]

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is given any more."""
        return self.state in {"finished", "cancelled"}

    @property
    def was_begun(self) -> bool:
        """Whether something of it may have been given."""
        return self.begun_at is not None

    def life(self) -> timedelta:
        """For how long it is kept from its last change on."""
        return BEGUN_LIFE if self.was_begun else PLAN_LIFE

    def chosen(self) -> Filters:
        """The filters that were given."""
        return Filters(**{name: _value(name, text) for name, text in self.filters.items()})

    def wanted(self) -> frozenset[int]:
        """The sequences that alone are meant; empty where all between the bounds are."""
        return frozenset(accumulate(self.sequences))

    def durable(self, target: str) -> str:
        """The consumer whose position is how far a target has come."""
        tail = f"={target.removeprefix(HANDLER)}" if target.startswith(HANDLER) else ""
        return f"replay-{self.name}{tail}"

    def consumer(self, target: str, stream: str) -> ReplayConsumer:
        """The consumer of a target. That of a subject needs no acknowledgement of each event."""
        return ReplayConsumer(
            stream,
            self.durable(target),
            self.nats_subjects[target],
            self.first_seq,
            self.last_seq,
            BEGUN_LIFE,
            "explicit" if target.startswith(HANDLER) else "all",
            self.plan,
        )

    def marks(self) -> dict[str, str]:
        """The headers of what it gives. The effects of a forced one are claimed under its plan:
        once each, however often it is resumed."""
        marks = {"ce-origin": "replay", "ce-replay": self.name, REPLAY: self.label}
        return {**marks, FORCED: self.plan} if self.forced else marks

    def moved(self, state: State, **changes: Any) -> ReplayRecord:
        """The same in another state."""
        return self.model_copy(update={"state": state, **changes})

    def after(self, target: str) -> ReplayRecord:
        """Once a target got everything; the last one finishes it."""
        done = [*self.done, target]
        if set(done) < set(self.targets) or self.is_over:
            return self.moved(self.state, done=done)
        return self.moved("finished", done=done, ended_at=datetime.now(UTC), runner="")

    def encoded(self) -> bytes:
        """As the stream keeps it."""
        return self.model_dump_json(exclude_defaults=True).encode()


def check_name(name: str) -> str:
    """A name that a replay can have; raises `ConfigurationError`."""
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r}: is no name of a replay: write 1 to 48 lower-case letters, digits, - and _, "
            "the first one a letter or digit"
        )
    return name


def replay_key(name: str) -> str:
    """Where a replay of this name is kept."""
    return f"{PREFIX}.{name}"


def as_fields(filters: Filters) -> dict[str, str]:
    """Filters as a record keeps them."""
    given = {field.name: getattr(filters, field.name) for field in fields(filters)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in given.items()
        if value is not None
    }


def as_differences(sequences: Sequence[int]) -> list[int]:
    """Sequences as a record keeps them; raises `ConfigurationError` where there are too many."""
    if len(sequences) > MAX_SEQUENCES:
        raise ConfigurationError(
            f"{len(sequences):,} single events are more than a plan holds ({MAX_SEQUENCES:,}): "
            "narrow the selection, as by --since, and make several plans"
        )
    ordered = [0, *sorted(set(sequences))]
    return [later - earlier for earlier, later in pairwise(ordered)]


def read_replay(value: bytes) -> ReplayRecord:
    """What `encoded` gave; raises `DecodingError` for anything else."""
    try:
        return ReplayRecord.model_validate_json(value)
    except ValidationError as error:
        raise DecodingError("an entry of a replay cannot be read") from error


def _value(name: str, text: str) -> Any:
    if name in {"since", "until"}:
        return datetime.fromisoformat(text)
    return int(text) if name == "limit" else text
