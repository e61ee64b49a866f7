"""A warning before streams, or their disk, are full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.connection import Sleep
from receiver.bus.read.reader import Reader
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger
from receiver.operations.look.room import SOON, disk_document, stream_documents

_LOOK_S: Final = 600.0
_AGAIN: Final = timedelta(days=1)
_ACTIONS: Final = {
    "stream_full_soon": "raise nats.max_bytes, or the oldest messages go (docs/keeping.md)",
    "disk_full_soon": "free or add disk, or lower nats.max_bytes (docs/keeping.md)",
}


async def warn_of_room(
    reader: Reader,
    subjects: Subjects,
    *,
    free_bytes: Callable[[], int | None],
    now: Callable[[], datetime],
    sleep: Sleep,
) -> None:
    """Log a warning a day for each stream that is full soon, and for their disk, until cancelled.

    Ends where our user may not read the streams.
    """
    warned: dict[str, datetime] = {}
    log = get_logger("yizhan.bus")
    while True:
        at, free = now(), free_bytes()
        try:
            streams = await stream_documents(reader, subjects, free, at)
        except ConfigurationError as error:
            log.info("stream_room_unknown", reason=str(error))
            return
        except BusError:
            streams = []
        for event, name, full_at in _soon(streams, free, at):
            if name not in warned or at - warned[name] >= _AGAIN:
                warned[name] = at
                more: dict[str, Any] = {"stream": name} if name else {}
                log.warning(event, **more, full_at=full_at, action=_ACTIONS[event])
        await sleep(_LOOK_S)


def _soon(
    streams: Sequence[Mapping[str, Any]], free: int | None, now: datetime
) -> Iterator[tuple[str, str, str]]:
    """What is full by then: the event, the stream, and when."""
    latest = now + SOON
    for stream in streams:
        full_at = stream["full_at"]
        if stream["max_bytes"] and full_at and datetime.fromisoformat(full_at) < latest:
            yield "stream_full_soon", stream["stream"], full_at
    disk = disk_document(streams, free, now)
    if disk and disk["full_at"] and datetime.fromisoformat(disk["full_at"]) < latest:
        yield "disk_full_soon", "", disk["full_at"]
