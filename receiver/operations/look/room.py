"""How large a stream is, how fast it grows, and when it is full. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.jetstream_api import nanoseconds_read
from receiver.bus.retention import read_time

_DAY: Final = timedelta(days=1)
_YOUNG: Final = timedelta(hours=1)
"""A younger stream has no rate yet."""


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
    days = max(0.0, (limit - size) / rate)
    if days > 36_500:
        return None
    return (now + timedelta(days=days)).isoformat(timespec="seconds")
