"""The fast path: which requests may take it, and a delivery on it. No socket is touched here.

It differs from ASGI in how bytes come and go: a delivery is handed over whole, without a scope, a
task or messages. What is decided of a request is decided by what both share: the path by
`receiver.web.addressing`, the size of a body by `receiver.web.body`, an answer's head by
`receiver.web.answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from receiver.web.addressing import read_callback_path
from receiver.web.body import exceeds
from receiver.web.delivery import Delivery, Headers

_PREFIX: Final = b"/callbacks/"
_NOT_PLAIN: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


def plain_callback(
    method: bytes, version: str, url: bytes, headers: Mapping[bytes, bytes], limit_bytes: int
) -> tuple[str, str | None] | None:
    """The source and the path token of a plain callback; None where a request takes the ASGI way.

    Plain is a POST by HTTP/1.1 to the URL of a source, with a Content-Length of at most
    `limit_bytes` and nothing in the URL that has to be decoded. `headers` are by their names in
    lower case.
    """
    if method != b"POST" or version != "1.1" or not _NOT_PLAIN.isdisjoint(headers):
        return None
    if not url.startswith(_PREFIX) or b"%" in url or b"?" in url or b"#" in url:
        return None
    if not url.isascii() or exceeds(headers, limit_bytes, absent=True):
        return None
    source, path_token = read_callback_path(url)
    if not source or (path_token is not None and "/" in path_token):
        return None
    return source, path_token


class _NullEvent:
    """Stands where uvicorn would wake the task of a request: there is none."""

    def set(self) -> None:
        """Do nothing."""


class FastPathDelivery(Delivery):
    """A delivery on the fast path, with the fields that uvicorn reads of the request in progress.

    `send` writes the answer to the connection; it is called at most once.
    """

    __slots__ = (
        "_parts", "_send", "disconnected", "keep_alive", "message_event", "response_complete",
    )  # fmt: skip
    _EVENT: Final = _NullEvent()

    def __init__(
        self,
        address: tuple[str, str | None],
        peer: str | None,
        headers: Headers,
        *,
        keep_alive: bool,
        send: Callable[[FastPathDelivery, int, bytes], None],
    ) -> None:
        super().__init__("POST", *address, peer, headers)
        self._parts: list[bytes] = []
        self._send = send
        self.disconnected = False
        self.keep_alive = keep_alive
        self.message_event = self._EVENT
        self.response_complete = False

    def receive(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)

    def complete(self) -> None:
        """The body is whole."""
        self.body = b"".join(self._parts)
        self._parts = []

    def drop(self) -> None:
        """Forget the parts that were received."""
        self._parts = []

    def answer(self, status: int, body: bytes) -> None:
        """See `Delivery.answer`; the first one counts."""
        if not self.response_complete:
            self.response_complete = True
            self._send(self, status, body)
            self.body, self.headers = b"", ()  # an idle connection keeps nothing of it
