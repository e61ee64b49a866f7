"""How far a stream is from the bounds at which its oldest messages go. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.jetstream_api import nanoseconds_read
from receiver.bus.stream_plan import StreamPlan

_NEAR: Final = 0.9
"""The share of a bound from which on it is warned of."""


def warnings(info: Mapping[str, Any], plan: StreamPlan, *, now: datetime) -> Iterator[str]:
    """What an operator should know of a stream's bounds: one sentence each, the same from look to
    look as long as the state is the same.

    `info` is the answer to `STREAM.INFO`.
    """
    config, state = info["config"], info.get("state", {})
    age, limit_bytes = nanoseconds_read(config.get("max_age", 0)), config.get("max_bytes", -1)
    if 0 < limit_bytes * _NEAR <= state.get("bytes", 0):
        yield (
            f"the stream {plan.name} has reached {_NEAR:.0%} of {limit_bytes} bytes: beyond them "
            "the oldest messages go: raise nats.max_bytes, and run `yizhan retention apply`"
        )
    if age and state.get("messages") and now - read_time(state["first_ts"]) >= age * _NEAR:
        yield (
            f"the oldest messages of the stream {plan.name} go after {in_words(age)}: to keep them "
            "for longer, raise nats.max_age_days, and run `yizhan retention apply`"
        )
    yield from _looser(plan, age, limit_bytes)


def _looser(plan: StreamPlan, age: timedelta, limit_bytes: int) -> Iterator[str]:
    """Bounds of the settings that the stream does not have yet."""
    lower = "run `yizhan retention apply` to lower that"
    if not age or age > plan.max_age:
        kept = in_words(age) if age else "ever"
        days = plan.max_age.days
        yield f"the stream {plan.name} keeps messages for {kept}, not for {days} days: {lower}"
    if plan.max_bytes > 0 and not 0 < limit_bytes <= plan.max_bytes:
        kept = f"{limit_bytes} bytes" if limit_bytes > 0 else "any number of bytes"
        yield f"the stream {plan.name} keeps {kept}, not {plan.max_bytes}: {lower}"


def in_words(age: timedelta) -> str:
    """Whole days as such, anything else to the second."""
    if age == timedelta(days=age.days):
        return f"{age.days} day{'' if age.days == 1 else 's'}"
    return str(age)


def read_time(text: str) -> datetime:
    """A time of JetStream's JSON; its nanoseconds are cut to microseconds."""
    whole, _, rest = text.partition(".")
    if not rest:
        return datetime.fromisoformat(text)
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return datetime.fromisoformat(f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}")
