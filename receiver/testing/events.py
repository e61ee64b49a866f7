"""Events for tests. Performs no I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from receiver.callback import callback_id
from receiver.event import Event
from receiver.facts import fact_id
from receiver.testing.clock import NOON
from schemas.events import EventData

DataT = TypeVar("DataT", bound=EventData)


def make_event(data: DataT, **attributes: Any) -> Event[DataT]:
    """An event of `data`; `attributes` are those of `Event`, each with a plausible default.

    The id is made from the data, as a real one is from the callback: equal data, equal id. A `time`
    that is given counts as the platform's: it is part of the fact id where the fact has it.
    """
    identity = callback_id("test", f"{data.event_type} {data.model_dump_json()}".encode())
    defaults: dict[str, Any] = {
        "id": f"{identity}.0",
        "source": "test",
        "time": NOON,
        "received_at": NOON,
        "callback_id": identity,
        "trust": "body",
    }
    made = Event(data=data, **(defaults | attributes))
    if "fact_id" in attributes or "time" not in attributes:
        return made
    return replace(made, fact_id=fact_id(data, made.id, made.time))


def retransmitted(event: Event[DataT], received_at: datetime, number: int = 1) -> Event[DataT]:
    """The same fact in another callback, as when the platform pushes it again: another event id,
    and the same fact id where the fact has one of its own (docs/identity.md).
    """
    identity = callback_id("test", f"{event.id} again {number}".encode())
    by_its_time = event.fact_id != fact_id(event.data, event.id)
    return replace(
        event,
        id=f"{identity}.0",
        callback_id=identity,
        received_at=received_at,
        fact_id=event.fact_id if by_its_time else "",
    )
