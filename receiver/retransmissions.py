"""Which callbacks said the same under another push time, within the duplicate window.

A memory of digests, bounded in number; after a restart it is filled from the stream's own
headers. It marks, and never refuses: a price that goes A, B, A is two facts.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

LIMIT_REMEMBERED: Final = 500_000


class Retransmissions:
    """Remembers what each source said. `window` is how long the same words count as the same."""

    def __init__(self, window: timedelta, *, limit: int = LIMIT_REMEMBERED) -> None:
        self._window = window
        self._limit = limit
        self._said: OrderedDict[tuple[str, str], tuple[str, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._said)

    def first_of(self, source: str, content: str, callback_id: str, now: datetime) -> str | None:
        """The earlier callback that said `content`; None where this is the first, or the same."""
        said = self._said.get((source, content))
        if said is None or said[0] == callback_id or now - said[1] > self._window:
            return None
        return said[0]

    def remember(self, source: str, content: str, callback_id: str, when: datetime) -> None:
        """Note a stored callback; the first of equal ones stays for the window's length."""
        key = (source, content)
        said = self._said.get(key)
        if said is not None and when - said[1] <= self._window:
            return
        self._said[key] = (callback_id, when)
        self._said.move_to_end(key)
        while len(self._said) > self._limit:
            self._said.popitem(last=False)
