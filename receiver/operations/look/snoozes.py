"""Causes of dead letters that somebody knows of: until a time they are no part of the verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.state.keys import key_token
from receiver.bus.subjects import ANY, Subjects
from receiver.errors import ConfigurationError

_PREFIX: Final = "snooze"
_FOR: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Snooze:
    """That a cause of a handler is left out `until` a time: since when, by whom, and why."""

    handler: str
    cause: str
    at: datetime
    until: datetime
    by: str
    reason: str

    @property
    def key(self) -> str:
        """Where it is kept, in the bucket of what handlers keep."""
        return f"{_PREFIX}.{key_token(self.handler)}.{key_token(self.cause)}"

    def report(self) -> dict[str, Any]:
        """As JSON, without whose it is."""
        times = {"at": self.at.isoformat(), "until": self.until.isoformat()}
        return {**times, "by": self.by, "reason": self.reason}


def time_after(text: str, now: datetime, *, name: str = "for") -> datetime:
    """The end of a snooze of `30m`, `8h` or `2d`; raises `ConfigurationError`, which begins with
    `name`.
    """
    found = _FOR.fullmatch(text)
    lasting = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < lasting <= _LONGEST:
        raise ConfigurationError(
            f"{name} {text!r}: write how long, such as 30m, 8h or 2d, 30d at most"
        )
    return now + lasting


async def snoozes(reader: Reader, subjects: Subjects, now: datetime) -> Sequence[Snooze]:
    """Those that hold now; raises `BusError`."""
    stream = subjects.state_stream
    if await reader.info(stream) is None:
        return ()
    found = await reader.last(stream, [subjects.state(f"{_PREFIX}.{ANY}.{ANY}")])
    return [one for one in map(_read, found) if one is not None and one.until > now]


def by_cause(found: Sequence[Snooze]) -> Mapping[tuple[str, str | None], Snooze]:
    """Each by its handler and cause."""
    return {(one.handler, one.cause): one for one in found}


def _read(stored: StoredMessage) -> Snooze | None:
    """None for an entry that is over, or of another version."""
    try:
        found = json.loads(stored.body)
        at, until = (datetime.fromisoformat(found[name]) for name in ("at", "until"))
        return Snooze(found["handler"], found["cause"], at, until, found["by"], found["reason"])
    except (ValueError, KeyError, TypeError):
        return None
