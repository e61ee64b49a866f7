"""Callbacks that we answered too late, or not with 200: what comes again of them we provoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.ingest.tries import OnTry

IN_TIME_S: Final = 0.8
"""The platform waits for a second, from when it began to connect."""
_MAX: Final = 50_000
_KEPT_S: Final = 7 * 3600.0
"""Longer than any platform goes on sending one callback again."""


class LateAnswers:
    """Remembers the latest of them by source and content, and when the first was; `announce` lets
    other receivers know. `on_try` is called with each try of a callback whose sender was verified.
    """

    def __init__(self, on_try: OnTry = lambda *_: None) -> None:
        self.on_try = on_try
        self.announce: Callable[[str, str], None] = lambda *_: None
        self._known = BoundedCache[float](_MAX)

    def note(self, source: str, content: str, at_s: float) -> None:
        """One that came at `at_s`, in seconds since 1970, was answered late, or not with 200."""
        self._put(source, content, at_s)
        self.announce(source, content)

    def remember(self, source: str, content: str) -> None:
        """The same, of another receiver, a moment ago."""
        self._put(source, content, time.time())

    def since(self, source: str, content: str) -> float | None:
        """When the first of this content came; None where it was answered well, as far as known."""
        if not len(self._known):
            return None
        first = self._known.get(f"{source} {content}")
        return None if first is None or time.time() - first > _KEPT_S else first

    def _put(self, source: str, content: str, at_s: float) -> None:
        if self.since(source, content) is None:
            self._known.put(f"{source} {content}", at_s)
