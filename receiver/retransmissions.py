"""Which callbacks said the same under another push time, within the duplicate window.

A memory of digests, bounded in number; after a restart it is filled from the stream's own
headers. It marks, and never refuses: a price that goes A, B, A is two facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LIMIT_REMEMBERED: Final = 500_000


class Retransmissions:
    """Remembers what each source said. `window` is how long the same words count as the same."""

    def __init__(self, window: timedelta, *, limit: int = LIMIT_REMEMBERED) -> None:
        self._window = window
        self._limit = limit
        # Text to text and text to number: the garbage collector does not walk them.
        self._first: dict[str, str] = {}
        self._when_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._first)

    def first_of(self, source: str, content: str, callback_id: str, now: datetime) -> str | None:
        """The earlier callback that said `content`; None where this is the first, or the same."""
        key = f"{source} {content}"
        first = self._first.get(key)
        if first is None or first == callback_id or self._is_past(key, now):
            return None
        return first

    def remember(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Note a stored callback; the first of equal ones stays for the window's length."""
        key = f"{source} {content}"
        if key in self._first:
            if not self._is_past(key, when):
                return
            del self._first[key], self._when_s[key]  # the newest stand last
        self._first[key] = callback_id
        self._when_s[key] = when.timestamp()
        while len(self._first) > self._limit:
            oldest = next(iter(self._first))
            del self._first[oldest], self._when_s[oldest]

    def _is_past(self, key: str, now: datetime) -> bool:
        return now.timestamp() - self._when_s[key] > self._window.total_seconds()
