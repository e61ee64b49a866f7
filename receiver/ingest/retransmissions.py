"""Callbacks with the same content under another push time, within the duplicate window.

A memory of digests, bounded in number; after a restart it is filled from the stream's own
headers. It marks, and never refuses: a price that goes A, B, A is two facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from receiver.bounded_cache import BoundedCache

MAX_REMEMBERED: Final = 500_000


class Retransmissions:
    """Remembers the content of each source's callbacks, for the length of `window`."""

    def __init__(self, window: timedelta, *, limit: int = MAX_REMEMBERED) -> None:
        self._window_s = window.total_seconds()
        self._first = BoundedCache[str](limit)

    def __len__(self) -> int:
        return len(self._first)

    def earlier_with_same_content(
        self, source: str, content: str, callback_id: str, now: datetime
    ) -> str | None:
        """The earlier callback with this `content`; None where this is the first, or the same."""
        seen = self._first.get(f"{source} {content}")
        if seen is None or self._is_past(seen, now.timestamp()):
            return None
        first = seen.partition(" ")[2]
        return None if first == callback_id else first

    def first_at(self, source: str, content: str) -> float | None:
        """When it was first stored, in seconds since 1970; None where it is not known."""
        seen = self._first.get(f"{source} {content}")
        return None if seen is None else float(seen.partition(" ")[0])

    def remember(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Note a stored callback; the first of equal ones stays for the window's length."""
        key, when_s = f"{source} {content}", when.timestamp()
        seen = self._first.get(key)
        if seen is None or self._is_past(seen, when_s):
            self._first.put(key, f"{when_s} {callback_id}")

    def _is_past(self, seen: str, now_s: float) -> bool:
        """Whether it was stored too long ago: a text of the time and the callback's id."""
        return now_s - float(seen.partition(" ")[0]) > self._window_s
