"""An event as developers and handlers see it: CloudEvents attributes and typed data. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, Literal, TypeVar

from receiver.callback import Trust
from receiver.facts import fact_id
from schemas.events import EventData

DataT_co = TypeVar("DataT_co", bound=EventData, covariant=True)
Origin = Literal["push", "handler", "sweep", "reparse", "replay"]
Unknown = Literal["unknown"]
"""What a word is read as that was added after this reader was written."""

_SHORT_CHARS: Final = 8
"""How much of a callback's id a person needs to recognise it."""


@dataclass(frozen=True, slots=True)
class Event(Generic[DataT_co]):
    """One stored fact.

    `id` is unique and made from content: `<callback id>.<n>`, or `<cause id>.<handler>.<n>` for
    what a handler made, `<cause id>.<handler>.t<firing>.<n>` in the run of a timer. `time` is when
    it happened, `received_at` when the callback came in.
    `source` is the name in the settings. `extensions` are attributes that we do not know.
    `fact_id` is shared by all events that report one fact: it is the idempotency key. It is made
    from data and id where it is not given, as for an event that was stored without one.
    `simulated` events are invented: their source is marked so in the settings. `replay` is the name
    of the replay that gives the event once more; its `origin` is `replay` then.
    """

    id: str
    source: str
    time: datetime
    received_at: datetime
    data: DataT_co
    callback_id: str
    trust: Trust | Unknown
    origin: Origin | Unknown = "push"
    causation_id: str | None = None
    retransmission_of: str | None = None
    traceparent: str | None = None
    fact_id: str = ""
    simulated: bool = False
    replay: str | None = None
    extensions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fact_id:
            object.__setattr__(self, "fact_id", fact_id(self.data, self.id))

    def __str__(self) -> str:
        """`order.created of 1688 order 2745812000123456789 (0a1b2c3d….0)`: no data, for a log."""
        head, _, rest = self.id.partition(".")
        short = head if len(head) <= _SHORT_CHARS else f"{head[:_SHORT_CHARS]}…"
        of = f" order {self.order_id}" if self.order_id else ""
        return f"{self.event_type} of {self.data.channel}{of} ({short}{'.' * bool(rest)}{rest})"

    @property
    def event_type(self) -> str:
        """`order.created`; on the wire it is `yizhan.order.created.v1`."""
        return self.data.event_type

    @property
    def order_id(self) -> str | None:
        """The id by which the platform's query API knows the order."""
        return self.data.order_id
