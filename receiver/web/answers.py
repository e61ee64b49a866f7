"""The answers that say nothing of why: constant bodies by status, and the heads of all answers.

An answer goes out through ASGI (`send_json`) or as bytes (`AnswerWriter`), with the same headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.types import Send

RETRY_AFTER_S: Final = 30
BODIES: Final[dict[int, bytes]] = {
    400: b'{"error":"malformed"}',
    401: b'{"error":"unauthorized"}',
    404: b'{"error":"unknown source"}',
    405: b'{"error":"method not allowed"}',
    408: b'{"error":"too slow"}',
    413: b'{"error":"too large"}',
    415: b'{"error":"unsupported content type"}',
    431: b'{"error":"headers too large"}',
    500: b'{"error":"internal"}',
    503: b'{"error":"unavailable"}',
}
Lines = Sequence[tuple[bytes, bytes]]
_JSON: Final = (b"content-type", b"application/json")
_MORE: Final[dict[int, Lines]] = {
    405: ((b"allow", b"GET, HEAD, POST"),),
    503: ((b"retry-after", b"%d" % RETRY_AFTER_S),),
}
_CLOSE: Final = (b"connection", b"close")
_CLOSE_LINE: Final = b"%b: %b\r\n" % _CLOSE
CLOSING: Final = frozenset({408, 413})
"""The statuses with which the connection ends."""


async def send_json(send: Send, status: int, body: bytes, *, head: bool = False) -> None:
    """Answer with a JSON body; none goes out for a HEAD request."""
    length = (b"content-length", b"%d" % len(body))
    lines = [*_before_length(status), length, *([_CLOSE] if status in CLOSING else [])]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": b"" if head else body})


class AnswerWriter:
    """Writes answers as bytes; keeps their heads as long as the default headers are the same
    object: the server exchanges them once a second, for the date.
    """

    def __init__(self) -> None:
        self._defaults: Lines = ()
        self._heads: dict[int, bytes] = {}

    def write(self, status: int, body: bytes, defaults: Lines, *, close: bool) -> bytes:
        """A whole answer with a JSON body; with `close` it announces the end of the connection."""
        if defaults is not self._defaults:
            self._defaults = defaults
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            head = self._heads[status] = _head(status, defaults)
        end = _CLOSE_LINE if close else b""
        return b"%b%d\r\n%b\r\n%b" % (head, len(body), end, body)


def _head(status: int, defaults: Lines) -> bytes:
    """The head of an answer up to the value of its length."""
    lines = b"".join([b"%b: %b\r\n" % line for line in (*defaults, *_before_length(status))])
    phrase = HTTPStatus(status).phrase.encode()
    return b"HTTP/1.1 %d %b\r\n%bcontent-length: " % (status, phrase, lines)


def _before_length(status: int) -> Lines:
    return (_JSON, *_MORE.get(status, ()))
