"""Reading a request's body within bounds, counted in bytes whatever Content-Length says."""

from __future__ import annotations

from typing import Final

from starlette.types import Receive

from receiver.errors import MalformedCallbackError
from receiver.web.delivery import Headers

_PATIENCE: Final = 8


class ClientGoneError(Exception):
    """The sender hung up before its request was whole: there is nobody to answer."""


async def read_body(receive: Receive, headers: Headers, limit_bytes: int) -> bytes:
    """The whole body; raises `MalformedCallbackError` (413) over the limit, `ClientGoneError`.

    A body that is somewhat too large is read to its end and thrown away, so that the sender gets
    to read the answer; one that is much too large is cut off.
    """
    limit_read_bytes = limit_bytes * _PATIENCE
    if _announced(headers) > limit_read_bytes:
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


def _announced(headers: Headers) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return 0
