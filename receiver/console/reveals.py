"""Personal data is masked until a viewer who may see it gives a reason, which is recorded first."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from receiver.bounded_cache import BoundedCache

_FOR_S: Final = 600.0
_LIMIT: Final = 1000


class _Reveal(NamedTuple):
    by: str
    path: str
    until: float


class Reveals:
    """What was revealed to whom: one page to one viewer, for ten minutes."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: BoundedCache[_Reveal] = BoundedCache(_LIMIT)

    def grant(self, by: str, path: str) -> str:
        """The word by which the page is shown in full."""
        word = secrets.token_urlsafe(16)
        self._known.put(word, _Reveal(by, path, self._clock() + _FOR_S))
        return word

    def covers(self, word: str, by: str, path: str) -> bool:
        """Whether the word was given to `by` for this page, and not long ago."""
        found = self._known.get(word)
        return found is not None and found[:2] == (by, path) and self._clock() < found.until
