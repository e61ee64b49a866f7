"""Which calls were made in a context, such as a run of a handler, and which of them changed, or may
have changed, something. Performs no I/O.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from receiver.client.endpoint import Endpoint
from receiver.errors import APIError, OutcomeUnknownError

_TRAIL: Final[ContextVar[list[str] | None]] = ContextVar("trail", default=None)

_CHANGES: Final[ContextVar[list[str] | None]] = ContextVar("changes", default=None)


@contextlib.contextmanager
def called() -> Iterator[list[str]]:
    """The names of the endpoints that the block calls, its tasks and threads included."""
    trail: list[str] = []
    token = _TRAIL.set(trail)
    try:
        yield trail
    finally:
        _TRAIL.reset(token)


def gather_changes() -> list[str]:
    """The names of the endpoints by which this context, its tasks and threads change something from
    now on; a call that was cut off, or whose outcome is unknown, is among them."""
    changes: list[str] = []
    _CHANGES.set(changes)
    return changes


def gather_no_changes() -> None:
    """End what `gather_changes` began."""
    _CHANGES.set(None)


def note(endpoint: str) -> None:
    """Add a call to those of the context, if they are gathered."""
    if (trail := _TRAIL.get()) is not None:
        trail.append(endpoint)


@contextlib.contextmanager
def calling(endpoint: Endpoint) -> Iterator[None]:
    """Make a call in the block, which raises `APIError` where it is refused or was not sent."""
    note(endpoint.name)
    changes = _CHANGES.get() if endpoint.changes_state else None
    if changes is None:
        yield
        return
    changes.append(endpoint.name)
    try:
        yield
    except APIError as error:
        if not isinstance(error, OutcomeUnknownError):
            changes.remove(endpoint.name)
        raise
