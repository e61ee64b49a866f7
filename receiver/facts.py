"""The fact id: the same for all events that report one fact. Performs no I/O."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from pydantic_core import to_json

from schemas.events import EventData

_CHARS: Final = 32


def fact_id(data: EventData, event_id: str, platform_time: datetime | None = None) -> str:
    """The first 32 hex digits of SHA-256 over a JSON array, in UTF-8 and without white space.

    The array: event type, channel, order id (null where there is none), then the parts of the
    model's `fact_key()`, or `event=<event id>` where it has none: what happens once in an order
    happens often where no order is named. `platform_time` is when the platform says that it
    happened; the time of a push does not count.
    """
    key = data.fact_key(platform_time) if data.order_id else None
    return own_fact_id(data, event_id) if key is None else _digest(data, key)


def own_fact_id(data: EventData, event_id: str) -> str:
    """The fact id of an event that nothing but its own id distinguishes from others."""
    return _digest(data, (f"event={event_id.encode(errors='replace').decode()}",))


def _digest(data: EventData, key: tuple[str, ...]) -> str:
    fact = (data.event_type, data.channel, data.order_id or None, *key)
    return hashlib.sha256(to_json(fact)).hexdigest()[:_CHARS]
