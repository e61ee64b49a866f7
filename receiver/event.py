"""An event as developers and handlers see it: CloudEvents attributes and typed data. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

from receiver.callback import Trust
from receiver.facts import fact_id
from schemas.events import EventData

DataT_co = TypeVar("DataT_co", bound=EventData, covariant=True)
Origin = Literal["push", "handler", "sweep", "reparse", "replay"]
Unknown = Literal["unknown"]
"""What a word is read as that was added after this reader was written."""


@dataclass(frozen=True, slots=True)
class Event(Generic[DataT_co]):
    """One stored fact.

    `id` is unique and made from content: `<callback id>.<n>`, or `<cause id>.<handler>.<n>` for
    what a handler made. `time` is when it happened, `received_at` when the callback came in.
    `source` is the name in the settings. `extensions` are attributes that we do not know.
    `fact_id` is shared by all events that report one fact: it is the idempotency key. It is made
    from data and id where it is not given, as for an event that was stored without one.
    `simulated` events are invented: their source is marked so in the settings.
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
    extensions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fact_id:
            object.__setattr__(self, "fact_id", fact_id(self.data, self.id))

    @property
    def event_type(self) -> str:
        """`order.created`; on the wire it is `yizhan.order.created.v1`."""
        return self.data.event_type

    @property
    def order_id(self) -> str | None:
        """The id by which the platform's query API knows the order."""
        return self.data.order_id
