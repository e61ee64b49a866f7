"""Which callbacks said the same under another push time, within the duplicate window.

A memory of digests, bounded in number; after a restart it is filled from the stream's own
headers. It marks, and never refuses: a price that goes A, B, A is two facts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from receiver.bounded_cache import Recent

LIMIT_REMEMBERED: Final = 500_000


class Retransmissions:
    """Remembers what each source said. `window` is how long the same words count as the same."""

    def __init__(self, window: timedelta, *, limit: int = LIMIT_REMEMBERED) -> None:
        self._window_s = window.total_seconds()
        self._first = Recent[str](limit)

    def __len__(self) -> int:
        return len(self._first)

    def first_of(self, source: str, content: str, callback_id: str, now: datetime) -> str | None:
        """The earlier callback that said `content`; None where this is the first, or the same."""
        said = self._first.get(f"{source} {content}")
        if said is None or self._is_past(said, now.timestamp()):
            return None
        first = said.partition(" ")[2]
        return None if first == callback_id else first

    def remember(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Note a stored callback; the first of equal ones stays for the window's length."""
        key, when_s = f"{source} {content}", when.timestamp()
        said = self._first.get(key)
        if said is None or self._is_past(said, when_s):
            self._first.put(key, f"{when_s} {callback_id}")

    def _is_past(self, said: str, now_s: float) -> bool:
        """Whether it was said too long ago: a text of the time and the callback's id."""
        return now_s - float(said.partition(" ")[0]) > self._window_s
