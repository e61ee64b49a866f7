"""Which calls were made in a context, such as a run of a handler. Performs no I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

_TRAIL: Final[ContextVar[list[str] | None]] = ContextVar("trail", default=None)


@contextlib.contextmanager
def called() -> Iterator[list[str]]:
    """The names of the endpoints that the block calls, its tasks and threads included."""
    trail: list[str] = []
    token = _TRAIL.set(trail)
    try:
        yield trail
    finally:
        _TRAIL.reset(token)


def note(endpoint: str) -> None:
    """Add a call to those of the context, if they are gathered."""
    trail = _TRAIL.get()
    if trail is not None:
        trail.append(endpoint)
