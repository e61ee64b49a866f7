"""One HTTP connection: uvicorn's protocol on httptools, with the bounds that it lacks.

A deadline for receiving a request, limits of its head, connections counted by address, requests
that begin in turns, and an answer for overload. A plain POST of a callback goes to the `FastPath`
(`receiver.web.connection.fast_path`), everything else through ASGI. What is relied on of uvicorn:
`receiver.web.connection`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NoReturn

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from receiver.web import answers
from receiver.web.connection.fast_path import FastPathDelivery, plain_callback
from receiver.web.connection.limits import ConnectionLimits
from receiver.web.connection.phase import (
    ANSWERING,
    BODY,
    CLOSING,
    ENDING,
    HEAD,
    IDLE,
    LAST_ANSWER,
    LINGERING,
    RECEIVING,
    SURPLUS,
    UNREAD,
    Phase,
)
from receiver.web.connection.serial import SerialProtocol
from receiver.web.delivery import FastPath

_STOPPING_S: Final = 1.0
"""What a half-received request has left when the server stops."""
_REASONS: Final = {400: "not_http", 408: "too_slow", 431: "headers_too_large", 503: "overloaded"}


class BoundedProtocol(SerialProtocol):
    """A connection that is cut when its `deadline` has passed."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        limits: ConnectionLimits,
        fast_path: FastPath | None,
        writer: answers.AnswerWriter,
        app_state: dict[str, Any],
    ) -> None:
        super().__init__(config, server_state, app_state, limits)
        self._fast_path = fast_path
        self._writer = writer
        self._limit_headers = limits.bounds.headers
        self._full_room_bytes = self._room_bytes
        self._key: str | None = None
        self._body_bytes = 0
        self._arriving: FastPathDelivery | None = None
        self._parser_status = 400
        """What a request that the parser does not take is answered with."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it where its sender holds too many."""
        super().connection_made(transport)
        self._key = self._limits.acquire(self.client[0] if self.client else None)
        if self._key is None:
            self._write_refusal(503)
            self._close()  # at once: it is one too many

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the connection's place back."""
        self._release_body()
        if self._key is not None:
            self._limits.release(self._key)
            self._key = None
        if self._arriving is not None and self._fast_path is not None:
            self._fast_path.broken_off(self._arriving)
            self._arriving = None
        super().connection_lost(exc)

    def _feed(self, piece: bytes) -> None:
        """Parse a piece; what is no request, or has too large a head, is answered and cut."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._decline()
        except httptools.HttpParserError:
            self._refuse(self._parser_status)
        else:
            # A header that never ends reaches no callback of the parser's.
            if self._room_bytes <= 0:
                self._refuse(431)

    def on_message_begin(self) -> None:
        """A request begins: from here its time runs. The scope is made where one is needed."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._enter(HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header. A trailer is dropped: a proxy has not looked at it as at a header, and
        what is decided by headers was decided (RFC 9110, section 6.5.1).
        """
        headers = self.headers
        if self._phase is not HEAD:
            return
        if len(headers) >= self._limit_headers:
            self._fail(431, "the head has too many headers")
        headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: now it is known which way the request goes."""
        if self.parser.should_upgrade():
            return
        if self._room_bytes <= 0:
            self._fail(431, "the head is too large")
        fields = dict(self.headers)
        version = self.parser.get_http_version()
        length = fields.get(b"content-length")
        if version != "1.1":
            self._check_old(version, fields)
        if length is not None:
            self._framing.body_left = int(length)
        self._arriving = self._plain_delivery(version, fields)
        if self._arriving is not None:
            self.cycle = self._arriving  # type: ignore[assignment] # all that uvicorn asks of it
        else:
            self._begin_asgi()
            self._room_bytes = self._full_room_bytes
        self._phase = BODY  # with the time of the head

    def _plain_delivery(
        self, version: str, fields: Mapping[bytes, bytes]
    ) -> FastPathDelivery | None:
        """The delivery of a plain callback; None for a request that goes through ASGI."""
        if self._fast_path is None:
            return None
        parser, limit_bytes = self.parser, self._fast_path.limit_bytes
        address = plain_callback(parser.get_method(), version, self.url, fields, limit_bytes)
        if address is None:
            return None
        return FastPathDelivery(
            address,
            self.client[0] if self.client else None,
            self.headers,
            keep_alive=parser.should_keep_alive(),
            send=self._send_answer,
        )

    def _begin_asgi(self) -> None:
        """Make the scope, and begin the request in a task of its own."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()

    def _check_old(self, version: str, fields: dict[bytes, bytes]) -> None:
        """Refuse other versions than HTTP/1.0, and a body of it whose length is not known."""
        if version != "1.0":
            self._fail(400, "no version of HTTP that is supported")
        if b"transfer-encoding" in fields:  # RFC 9112, section 6.1: its framing is faulty
            self._fail(400, "HTTP/1.0 has no chunks")
        if self.parser.get_method() == b"POST" and b"content-length" not in fields:
            self._fail(400, "a body of unknown length")  # RFC 1945, section 8.3

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        if not self._limits.reserve_body(len(body)):
            self._fail(503, "too many bodies at once")
        if self._arriving is None:
            self._room_bytes = self._full_room_bytes
            super().on_body(body)
        else:
            self._arriving.receive(body)

    def on_message_complete(self) -> None:
        """The request is whole: from here the time of its answer runs."""
        if self.parser.should_upgrade():
            return
        self._room_bytes = self._full_room_bytes
        self._release_body()
        if self._arriving is not None:
            delivery, self._arriving = self._arriving, None
            delivery.complete()
            self._enter(ANSWERING)
            self._limits.admission.enter(partial(self._take, delivery))
            return
        super().on_message_complete()
        self._enter(IDLE if self._phase is SURPLUS else ANSWERING)

    def on_response_complete(self) -> None:
        """Begin to be idle, or go on with the next request of the pipeline."""
        if self._phase in ENDING or self.transport.is_closing():
            return
        if self._phase in RECEIVING:
            self._enter(SURPLUS)
        else:
            self._enter(UNREAD if self.flow.write_paused else IDLE)
        self._go_on()

    def shutdown(self) -> None:
        """Answer what is in flight, then close."""
        super().shutdown()
        if self._phase in RECEIVING:
            self.deadline = min(self.deadline, self._limits.loop.time() + _STOPPING_S)

    def expire(self) -> None:
        """Cut the connection: 408 if a request was incomplete; an idle one is closed silently."""
        if self.transport.get_write_buffer_size():
            self._limits.refused("answer_not_read")
            self.transport.abort()
        elif self.transport.is_closing():
            self.transport.abort()
        else:
            at_deadline: dict[Phase, Callable[[], None]] = {
                HEAD: partial(self._refuse, 408),
                BODY: partial(self._refuse, 408),
                LAST_ANSWER: self.transport.abort,
                LINGERING: self.transport.abort,
                CLOSING: self.transport.abort,
            }
            at_deadline.get(self._phase, self._close)()

    def _take(self, delivery: FastPathDelivery, late: bool) -> None:  # noqa: FBT001 - see Start
        assert self._fast_path is not None
        if late:
            self._limits.refused("overloaded")
            delivery.answer(503, answers.BODIES[503])
        else:
            self._fast_path.take(delivery)

    def _send_answer(self, delivery: FastPathDelivery, status: int, body: bytes) -> None:
        """Answer a delivery on the fast path; then the next request of the connection."""
        transport = self.transport
        if not transport.is_closing():
            close = not delivery.keep_alive or status in answers.CLOSING
            defaults = self.server_state.default_headers
            transport.write(self._writer.write(status, body, defaults, close=close))
            if close:
                self._end()
        self.on_response_complete()

    def _decline(self) -> None:
        """Take a request that offers another protocol as if it offered none.

        The parser leaves the body of such a request to that protocol. Java's client offers HTTP/2
        with every request that it sends without TLS.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(400)
            return
        version = self.parser.get_http_version().encode()
        kept = [(n, v) for n, v in self.headers if n not in {b"upgrade", b"connection"}]
        lines = b"".join(b"%s: %s\r\n" % header for header in kept)
        self.parser = httptools.HttpRequestParser(self)
        self._room_bytes = self._full_room_bytes
        self._feed(b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, lines))

    def _release_body(self) -> None:
        """Take the parts that were received off the count of incomplete bodies."""
        if self._body_bytes:
            self._limits.reserve_body(-self._body_bytes)
            self._body_bytes = 0

    def _refuse(self, status: int) -> None:
        """Count, answer at once, and end; a request that has its answer gets no second one."""
        self._limits.refused(_REASONS[status])
        if self._phase is not SURPLUS:
            self._write_refusal(status)
        self._release_body()
        if self._arriving is not None:
            self._arriving.drop()
        self._end()

    def _write_refusal(self, status: int) -> None:
        body, defaults = answers.BODIES[status], self.server_state.default_headers
        self.transport.write(self._writer.write(status, body, defaults, close=True))

    def _fail(self, status: int, why: str) -> NoReturn:
        """Stop the parser, within one of its callbacks; the request is answered with `status`."""
        self._parser_status = status
        raise ValueError(why)
