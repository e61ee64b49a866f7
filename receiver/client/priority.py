"""Which calls go first where several wait for the account's rate. Performs no I/O."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final, Literal, get_args

from receiver.errors import InvalidRequestError

Priority = Literal["live", "replay", "sweep"]
"""What a call is made for: an event that has just come, one that is run again, a routine look."""
ORDER: Final[tuple[Priority, ...]] = get_args(Priority)

_CURRENT: Final[ContextVar[Priority]] = ContextVar("yizhan_api_priority", default="live")


def current_priority() -> Priority:
    """The priority of calls that are made here, `live` unless it was set."""
    return _CURRENT.get()


@contextlib.contextmanager
def prioritised(priority: Priority) -> Iterator[None]:
    """Give calls that are made inside, and in tasks that are started there, this priority."""
    if priority not in ORDER:
        raise InvalidRequestError(f"priority: one of {', '.join(ORDER)}")
    token = _CURRENT.set(priority)
    try:
        yield
    finally:
        _CURRENT.reset(token)
