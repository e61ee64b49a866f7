"""The answers that say nothing of why: constant bodies by status, and their headers."""

from __future__ import annotations

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
_JSON: Final = (b"content-type", b"application/json")
_MORE: Final[dict[int, tuple[tuple[bytes, bytes], ...]]] = {
    405: ((b"allow", b"GET, HEAD, POST"),),
    408: ((b"connection", b"close"),),
    413: ((b"connection", b"close"),),
    503: ((b"retry-after", b"%d" % RETRY_AFTER_S),),
}


def headers(status: int, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with a JSON body."""
    return [*more_headers(status), (b"content-length", b"%d" % len(body))]


def more_headers(status: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with a JSON body but for its length."""
    return [_JSON, *_MORE.get(status, ())]


async def send_json(send: Send, status: int, body: bytes, *, head: bool = False) -> None:
    """Answer with a JSON body; none goes out for a HEAD request."""
    start = {"type": "http.response.start", "status": status, "headers": headers(status, body)}
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else body})
