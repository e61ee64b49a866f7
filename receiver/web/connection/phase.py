"""Where a connection is between two requests. Pure.

NEW, IDLE and UNREAD wait for a request; HEAD, BODY and SURPLUS receive one; ANSWERING and
LAST_ANSWER owe an answer; LINGERING and CLOSING are at the end. The usual way of a request is
HEAD, BODY, ANSWERING, IDLE. One that is answered before it is whole goes from BODY to SURPLUS, and
from there to IDLE.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """The phase of a connection."""

    NEW = auto()
    """Nothing was received yet."""
    HEAD = auto()
    """A request has begun, its head is not whole."""
    BODY = auto()
    """The head is whole, the body is not."""
    SURPLUS = auto()
    """The request is answered, the rest of its body still comes."""
    ANSWERING = auto()
    """A whole request waits for its answer."""
    LAST_ANSWER = auto()
    """As ANSWERING; then the connection ends, and nothing that still comes is read."""
    UNREAD = auto()
    """The answer is written; so much of it is not read that no request may begin."""
    IDLE = auto()
    """The answer is written."""
    LINGERING = auto()
    """Our half is closed; what still comes is discarded."""
    CLOSING = auto()
    """Both halves are closed, or will be once all is written."""

    __hash__ = object.__hash__  # that of `Enum` is a call of Python's; looked up in each request


NEW, HEAD, BODY, SURPLUS, ANSWERING, LAST_ANSWER, UNREAD, IDLE, LINGERING, CLOSING = Phase
# Named once here: Python 3.11 looks up `Phase.HEAD` by a call, and a header is read in less.

RECEIVING: Final = (BODY, HEAD, SURPLUS)
"""A request has begun and is not whole."""
WAITING: Final = (IDLE, NEW, UNREAD)
"""The next request may begin."""
ENDING: Final = (LAST_ANSWER, LINGERING, CLOSING)
"""Nothing that still comes is read."""
