"""One HTTP connection: uvicorn's protocol on httptools, with the bounds that it lacks.

A deadline for receiving a request, limits of its head, connections counted by address, requests
that begin in turns, and an answer for overload. A plain POST of a callback goes to the `FastPath`
without a scope, a task or the messages of ASGI; everything else goes the usual way. Uvicorn's
hooks that are overridden here and in `serial` are no public interface: its version is pinned, and
the tests of the limits cover each.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from receiver.web import answers
from receiver.web.connection.limits import ConnectionLimits
from receiver.web.connection.serial import SerialProtocol
from receiver.web.delivery import Delivery, FastPath, Headers

_STOPPING_S: Final = 1.0
"""What a half-received request has left when the server stops."""
_CALLBACKS: Final = b"/callbacks/"
_REASONS: Final = {400: "not_http", 431: "headers_too_large", 503: "overloaded"}
_NOT_PLAIN: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade"})


class BoundedProtocol(SerialProtocol):
    """A connection that is cut when its `deadline` has passed."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        limits: ConnectionLimits,
        lane: FastPath | None,
        app_state: dict[str, Any],
    ) -> None:
        super().__init__(config, server_state, app_state, limits)
        self._lane = lane
        self._limit_headers = limits.bounds.headers
        self._full_room_bytes = self._room_bytes
        self._key: str | None = None
        self._in_head = True
        self._refusal = 400
        self._body_bytes = 0
        self._arriving: FastPathDelivery | None = None
        self._parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it where its sender holds too many."""
        super().connection_made(transport)
        self._key = self._limits.acquire(self.client[0] if self.client else None)
        if self._key is None:
            self._write_refusal(503)
            self._ended = True
            self.transport.close()  # at once: it is one too many

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection's place back."""
        self._release_body()
        if self._key is not None:
            self._limits.release(self._key)
            self._key = None
        if self._arriving is not None and self._lane is not None:
            self._lane.broken_off(self._arriving)
            self._arriving = None
        super().connection_lost(exc)

    def _feed(self, piece: bytes) -> None:
        """Parse a piece; what is no request, or has too large a head, is answered and cut."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._decline()
        except httptools.HttpParserError:
            self._limits.refused(_REASONS[self._refusal])
            self._refuse(self._refusal)
        else:
            # A header that never ends reaches no callback of the parser's.
            if self._room_bytes <= 0:
                self._limits.refused("headers_too_large")
                self._refuse(431)

    def on_message_begin(self) -> None:
        """A request begins: from here its time runs. The scope is made where one is needed."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._receiving = True
        self._in_head = True
        self.deadline = self._limits.loop.time() + self._limits.bounds.receive_timeout_s

    def on_url(self, url: bytes) -> None:
        """A part of the path."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header. A trailer is dropped: a proxy has not looked at it as at a header, and
        what is decided by headers was decided (RFC 9110, section 6.5.1).
        """
        headers = self.headers
        if not self._in_head:
            return
        if len(headers) >= self._limit_headers:
            self._refusal = 431
            raise ValueError("the head has too many headers")
        headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: now it is known which way the request goes."""
        if self.parser.should_upgrade():
            return
        if self._room_bytes <= 0:
            self._refusal = 431
            raise ValueError("the head is too large")
        fields = dict(self.headers)
        version = self.parser.get_http_version()
        length = fields.get(b"content-length")
        if version != "1.1":
            self._check_old(version, fields)
        if length is not None:
            self._framing.body_left = int(length)
        self._arriving = self._in_lane(version, fields)
        if self._arriving is not None:
            self._in_head = False
            self.cycle = self._arriving  # type: ignore[assignment] # all that uvicorn asks of it
            self._parts = []
            return
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()
        self._in_head = False
        self._room_bytes = self._full_room_bytes

    def _check_old(self, version: str, fields: dict[bytes, bytes]) -> None:
        """Raise, within the parser, where HTTP/1.0 does not say how long its body is."""
        if version != "1.0":
            raise ValueError("no version of HTTP that is spoken here")
        if b"transfer-encoding" in fields:  # RFC 9112, section 6.1: its framing is faulty
            raise ValueError("HTTP/1.0 has no chunks")
        if self.parser.get_method() == b"POST" and b"content-length" not in fields:
            raise ValueError("a body of unknown length")  # RFC 1945, section 8.3

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        if not self._limits.reserve_body(len(body)):
            self._refusal = 503
            raise ValueError("too many bodies at once")
        if self._arriving is None:
            self._room_bytes = self._full_room_bytes
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: its sender is not what is waited for any more."""
        if self.parser.should_upgrade():
            return
        self._receiving = False
        self._room_bytes = self._full_room_bytes
        self._release_body()
        limits = self._limits.bounds
        if self._arriving is not None:
            delivery, self._arriving = self._arriving, None
            delivery.body = b"".join(self._parts)
            self._parts = []
            self._unanswered = True
            self.deadline = self._limits.loop.time() + limits.answer_timeout_s
            self._limits.admission.enter(partial(self._take, delivery))
            return
        super().on_message_complete()
        self._unanswered = not self._answered
        wait_s = limits.answer_timeout_s if self._unanswered else limits.idle_timeout_s
        self.deadline = self._limits.loop.time() + wait_s

    def on_response_complete(self) -> None:
        """Begin to be idle, or go on with the next request of the pipeline."""
        self.server_state.total_requests += 1
        self._unanswered = False
        if self._ended or self.transport.is_closing():
            return
        if not self._receiving:
            limits = self._limits.bounds
            wait_s = limits.answer_timeout_s if self.flow.write_paused else limits.idle_timeout_s
            self.deadline = self._limits.loop.time() + wait_s
        self._go_on()

    def shutdown(self) -> None:
        """Answer what is in flight, then close."""
        super().shutdown()
        if self._receiving:
            self.deadline = min(self.deadline, self._limits.loop.time() + _STOPPING_S)

    def expire(self) -> None:
        """Cut the connection: a sender that is too slow hears it, an idle one does not."""
        if self.transport.get_write_buffer_size():
            self._limits.refused("answer_not_read")
            self.transport.abort()
        elif self._ended or self.transport.is_closing():
            self.transport.abort()
        elif self._receiving and (self._in_head or not self._answered):
            self._limits.refused("too_slow")
            self._refuse(408)
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._limits.admission.enter(partial(self._start_in_turn, cycle, app))

    def _start_in_turn(self, cycle: Any, app: Any, late: bool) -> None:  # noqa: FBT001 - see Start
        if late:
            self._limits.refused("overloaded")
            app = _overloaded
        super()._start_asgi_task(cycle, app)

    def _in_lane(self, version: str, fields: dict[bytes, bytes]) -> FastPathDelivery | None:
        """The delivery of a plain callback; None where the request goes the usual way.

        Plain is a POST to the URL of a source with a whole body of a bounded length.
        """
        url, lane = self.url, self._lane
        if lane is None or not url.startswith(_CALLBACKS):
            return None
        if self.parser.get_method() != b"POST" or version != "1.1":
            return None
        source, _, path_token = url[len(_CALLBACKS) :].partition(b"/")
        if not source or b"/" in path_token or b"%" in url or b"?" in url or b"#" in url:
            return None
        length = fields.get(b"content-length", b"x")
        if not length.isdigit() or len(length) > 9 or int(length) > lane.limit_bytes:
            return None
        if not _NOT_PLAIN.isdisjoint(fields) or not url.isascii():
            return None
        return FastPathDelivery(self, source.decode(), path_token.decode() or None, self.headers)

    def _take(self, delivery: FastPathDelivery, late: bool) -> None:  # noqa: FBT001 - see Start
        assert self._lane is not None
        if late:
            self._limits.refused("overloaded")
            delivery.answer(503, answers.BODIES[503])
        else:
            self._lane.take(delivery)

    def send_answer(self, delivery: FastPathDelivery, status: int, body: bytes) -> None:
        """The answer of a delivery in the lane; then the next request of the connection."""
        transport = self.transport
        if not transport.is_closing():
            head = self._limits.answer_head(status, self.server_state.default_headers)
            close = b"" if delivery.keep_alive else b"connection: close\r\n"
            transport.write(b"%b%d\r\n%b\r\n%b" % (head, len(body), close, body))
            if not delivery.keep_alive:
                self._end()
        self.on_response_complete()

    @property
    def _answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _decline(self) -> None:
        """Take a request that offers another protocol as if it did not.

        The parser leaves the body of such a request to that protocol. Java's client offers HTTP/2
        with every request that it sends without TLS.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._limits.refused("not_http")
            self._refuse(400)
            return
        version = self.parser.get_http_version().encode()
        kept = [(n, v) for n, v in self.headers if n not in {b"upgrade", b"connection"}]
        lines = b"".join(b"%s: %s\r\n" % header for header in kept)
        self.parser = httptools.HttpRequestParser(self)
        self._room_bytes = self._full_room_bytes
        self._feed(b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, lines))

    def _release_body(self) -> None:
        """What was received of a body is not half a body any more."""
        if self._body_bytes:
            self._limits.reserve_body(-self._body_bytes)
            self._body_bytes = 0

    def _refuse(self, status: int) -> None:
        """Answer at once, and close; nothing more is said where that request has its answer."""
        if self._in_head or not self._receiving or not self._answered:
            self._write_refusal(status)
        self._release_body()
        self._parts = []
        self._end()

    def _write_refusal(self, status: int) -> None:
        body = answers.BODIES[status]
        lines = {**dict(answers.headers(status, body)), b"connection": b"close"}
        lines |= dict(self.server_state.default_headers)
        head = b"".join(b"%s: %s\r\n" % line for line in lines.items())
        self.transport.write(b"%s%s\r\n%s" % (STATUS_LINE[status], head, body))


async def _overloaded(_: Scope, __: Receive, send: Send) -> None:
    """The answer for a request that waited too long for its turn."""
    await answers.send_json(send, 503, answers.BODIES[503])


class _NullEvent:
    """Stands where uvicorn would wake the task of a request: there is none."""

    def set(self) -> None:
        """Wake nobody."""


class FastPathDelivery(Delivery):
    """A delivery in the lane, with what uvicorn asks of the request that is under way."""

    __slots__ = ("_protocol", "disconnected", "keep_alive", "message_event", "response_complete")
    _NOBODY: Final = _NullEvent()

    def __init__(
        self, protocol: BoundedProtocol, source: str, path_token: str | None, headers: Headers
    ) -> None:
        peer = protocol.client[0] if protocol.client else None
        super().__init__("POST", source, path_token, peer, headers)
        self._protocol = protocol
        self.disconnected = False
        self.keep_alive = protocol.parser.should_keep_alive()
        self.message_event = self._NOBODY
        self.response_complete = False

    def answer(self, status: int, body: bytes) -> None:
        """See `Delivery.answer`; the first one counts."""
        if not self.response_complete:
            self.response_complete = True
            self._protocol.send_answer(self, status, body)
            self.body, self.headers = b"", ()  # an idle connection keeps nothing of it
