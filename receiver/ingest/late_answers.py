"""Callbacks that we answered too late, or not with 200: what comes again of them we provoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from receiver.bounded_cache import BoundedCache

IN_TIME_S: Final = 0.8
"""The platform waits for a second, from when it began to connect."""
_MAX: Final = 50_000


class LateAnswers:
    """Remembers the latest of them by source and content; `announce` lets other receivers know."""

    def __init__(self) -> None:
        self.announce: Callable[[str, str], None] = lambda *_: None
        self._known = BoundedCache[str](_MAX)

    def note(self, source: str, content: str) -> None:
        """One was answered late, or not with 200."""
        self.remember(source, content)
        self.announce(source, content)

    def remember(self, source: str, content: str) -> None:
        """The same, of another receiver."""
        self._known.put(f"{source} {content}", content)

    def holds(self, source: str, content: str) -> bool:
        """Whether this content was."""
        return len(self._known) > 0 and self._known.get(f"{source} {content}") is not None
