"""Which callbacks said the same under another push time, within the duplicate window.

A memory of digests, bounded in number; after a restart it is filled from the stream's own
headers. It marks, and never refuses: a price that goes A, B, A is two facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from receiver.recent import Recent

LIMIT_REMEMBERED: Final = 500_000


class Retransmissions:
    """Remembers what each source said. `window` is how long the same words count as the same."""

    def __init__(self, window: timedelta, *, limit: int = LIMIT_REMEMBERED) -> None:
        self._window_s = window.total_seconds()
        self._first = Recent[str](limit)
        self._when_s = Recent[float](limit)

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
        if self._is_past(key, when):
            self._first.put(key, callback_id)
            self._when_s.put(key, when.timestamp())

    def _is_past(self, key: str, now: datetime) -> bool:
        """Whether it was never said, or too long ago."""
        when_s = self._when_s.get(key)
        return when_s is None or now.timestamp() - when_s > self._window_s
