"""The bound of a request's body: by its Content-Length, and by the bytes that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.types import Receive

from receiver.errors import MalformedCallbackError
from receiver.web.delivery import Headers

_PATIENCE: Final = 8
_MAX_DIGITS: Final = 19


class ClientGoneError(Exception):
    """The sender closed the connection before its request was whole: no answer can reach it."""


def exceeds(headers: Mapping[bytes, bytes], limit_bytes: int, *, absent: bool) -> bool:
    """Whether Content-Length is over the limit; `absent` where there is none, or no number."""
    length = headers.get(b"content-length", b"")
    return int(length) > limit_bytes if length.isdigit() and len(length) <= _MAX_DIGITS else absent


async def read_body(receive: Receive, headers: Headers, limit_bytes: int) -> bytes:
    """The whole body; raises `MalformedCallbackError` (413) over the limit, `ClientGoneError`.

    Bytes are counted, whatever Content-Length says. A body that is somewhat too large is read to
    its end and discarded, so that the sender gets to read the answer; one that is much too large
    is cut off.
    """
    limit_read_bytes = limit_bytes * _PATIENCE
    if exceeds(dict(headers), limit_read_bytes, absent=False):
        raise MalformedCallbackError("too_large", status=413)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
        if size > limit_read_bytes or not message.get("more_body", False):
            break
    if size > limit_bytes:
        raise MalformedCallbackError("too_large", status=413)
    return b"".join(chunks)
