"""Events of one order that come close together make one run, of the newest.

An event is put into a schedule of its handler and order, which fires once no newer one came for a
while, and is acknowledged. So the server keeps what waits, whatever becomes of the worker.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from receiver.bus.headers import LATEST
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import (
    Held,
    Place,
    Schedules,
    TooLargeError,
    is_copy,
    origin_seq,
    place_in_order,
)
from receiver.bus.subjects import NO_KEY
from receiver.errors import BusError
from receiver.event import Event
from receiver.settings.handlers import MAX_WINDOW_S
from receiver.worker.routing import Handler
from schemas.events import EventData

_TRIES: Final = 5
"""Another may be put there meanwhile, or what is there fires."""
_FACTOR: Final = 10


async def coalesced(
    schedules: Schedules,
    handler: Handler,
    message: StoredMessage,
    event: Event[EventData],
    now: datetime,
) -> bool:
    """Whether an event needs no run of its own now: it waits for a newer one, or a newer one waits
    already. What has waited is run, and so is an event without an order, or one that is too large
    for a schedule. Raises `BusError`.
    """
    window_s = handler.options.coalesce_s
    if window_s is None or is_copy(message):
        return False
    channel, key = place_in_order(message.nats_subject)
    if key == NO_KEY:
        return False
    within_s = handler.options.coalesce_within_s or min(_FACTOR * window_s, MAX_WINDOW_S)
    place = Place("coalesce", handler.name, channel, key)
    for _ in range(_TRIES):
        held = await schedules.held(place)
        if held is not None and not _is_newer(event, message, held):
            return True
        latest = now + timedelta(seconds=within_s) if held is None else _latest(held)
        at = min(now + timedelta(seconds=window_s), latest)
        over = 0 if held is None else held.seq
        headers = {LATEST: latest.isoformat()}
        try:
            if await schedules.put(place, message, at, headers, over=over):
                return True
        except TooLargeError:
            return False
    raise BusError("others put events of this order into its schedule all the time")


def _is_newer(event: Event[EventData], message: StoredMessage, held: Held) -> bool:
    """By the platform's time; of two at one time the one that was stored later."""
    time = datetime.fromisoformat(held.headers["ce-time"])
    return (event.time, message.stream_seq) > (time, origin_seq(held.headers))


def _latest(held: Held) -> datetime:
    return datetime.fromisoformat(held.headers[LATEST])
