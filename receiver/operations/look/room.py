"""How large streams are, how fast they grow, and when they or their disk are full."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final

from receiver.bus.jetstream_api import nanoseconds_read
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.retention import read_time
from receiver.bus.subjects import Subjects

_DAY: Final = timedelta(days=1)
_YOUNG: Final = timedelta(hours=1)
"""A younger stream has no rate yet."""
_FAR_DAYS: Final = 36_500
SOON: Final = timedelta(days=7)
"""What is full by then is warned of."""


async def stream_documents(
    reader: Reader, subjects: Subjects, free_bytes: int | None, now: datetime
) -> list[dict[str, Any]]:
    """Those streams that are there; see `stream_document`. Raises what `Reader` raises."""
    found = []
    for name in (
        subjects.stream,
        subjects.dead_stream,
        subjects.runs_stream,
        subjects.audit_stream,
        subjects.state_stream,
    ):
        info = await reader.info(name)
        if info is None:
            continue
        lately = 0
        if info["config"].get("allow_direct"):
            lately = await reader.count(StreamSelection(name, [">"], now - _DAY))
        found.append(stream_document(info, lately, free_bytes, now))
    return found


def stream_document(
    info: Mapping[str, Any], lately: int, free_bytes: int | None, now: datetime
) -> dict[str, Any]:
    """One stream; `lately` is how many of its messages were stored in the last day.

    `bytes_a_day` is what it grows by at that rate, null while it is too young. `full_at` is when it
    reaches its `max_bytes`, else what is free on the disk; null where that never happens, since
    what is older than `max_age_s` goes before, or where no bound is known.
    """
    config, state = info["config"], info["state"]
    messages, size = state["messages"], state["bytes"]
    first = read_time(state["first_ts"]) if messages else None
    age = nanoseconds_read(config.get("max_age", 0))
    bound = config.get("max_bytes", -1)
    rate = _rate(messages, size, lately, first, now)
    limit = bound if bound > 0 else None if free_bytes is None else size + free_bytes
    return {
        "stream": config["name"],
        "messages": messages,
        "last_seq": state["last_seq"],
        "bytes": size,
        "first_at": first.isoformat(timespec="seconds") if first else None,
        "last_at": read_time(state["last_ts"]).isoformat(timespec="seconds") if messages else None,
        "max_age_s": age.total_seconds() or None,
        "max_bytes": bound if bound > 0 else None,
        "free_bytes": free_bytes,
        "bytes_a_day": None if rate is None else round(rate),
        "full_at": _full(size, rate, limit, age, now),
    }


def _rate(
    messages: int, size: int, lately: int, first: datetime | None, now: datetime
) -> float | None:
    """Bytes a day, by the last day, or by the time since the first message."""
    if first is None or now - first < _YOUNG:
        return None
    return size / messages * lately / min(1.0, (now - first) / _DAY)


def _full(
    size: int, rate: float | None, limit: int | None, age: timedelta, now: datetime
) -> str | None:
    if rate is None or limit is None or rate <= 0:
        return None
    if age and rate * (age / _DAY) <= limit:
        return None
    return _in_days(max(0.0, (limit - size) / rate), now)


def disk_document(
    streams: Iterable[Mapping[str, Any]], free_bytes: int | None, now: datetime
) -> dict[str, Any] | None:
    """The disk of the streams: `bytes_a_day` is what they grow by together, and `full_at` when that
    leaves nothing free; null where it never does, since each grows only up to its own bound and to
    what its age lets it hold. None where it is not known what is free; `bytes_a_day` is null while
    the streams are too young.
    """
    if free_bytes is None:
        return None
    streams = [stream for stream in streams if stream["bytes_a_day"] is not None]
    if not streams:
        return {"free_bytes": free_bytes, "bytes_a_day": None, "full_at": None}
    growing = sorted(_growth(stream) for stream in streams if stream["bytes_a_day"])
    day, left, full_at = 0.0, float(free_bytes), None
    rate = sum(one for _, one in growing)
    together = round(rate)
    for until, one in growing:
        if rate * (until - day) >= left:
            full_at = _in_days(day + left / rate, now)
            break
        left -= rate * (until - day)
        day, rate = until, rate - one
    return {"free_bytes": free_bytes, "bytes_a_day": together, "full_at": full_at}


def _growth(stream: Mapping[str, Any]) -> tuple[float, float]:
    """For how many days a stream grows, and by how many bytes a day."""
    rate = stream["bytes_a_day"]
    days = min(((bound - stream["bytes"]) / rate for bound in _bounds(stream)), default=inf)
    return max(0.0, days), rate


def _bounds(stream: Mapping[str, Any]) -> Iterator[float]:
    if stream["max_bytes"]:
        yield stream["max_bytes"]
    if stream["max_age_s"]:
        yield stream["bytes_a_day"] * stream["max_age_s"] / _DAY.total_seconds()


def _in_days(days: float, now: datetime) -> str | None:
    if days > _FAR_DAYS:
        return None
    return (now + timedelta(days=days)).isoformat(timespec="seconds")
