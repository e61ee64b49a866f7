"""One request at a time on a connection: what comes behind it waits as bytes, within bounds.

Uvicorn parses all that a sender pipelines, and keeps it: a megabyte of small requests becomes a
hundred of objects. Here the parser gets a request only when the one before it is answered and its
sender reads. Until then nothing more is read from the socket, so that a connection holds what one
read brought, and no more. A sender that has closed its half of the connection gets its answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from receiver.web.connection.framing import Framing
from receiver.web.connection.limits import ConnectionLimits
from receiver.web.connection.phase import (
    ANSWERING,
    CLOSING,
    ENDING,
    LAST_ANSWER,
    LINGERING,
    NEW,
    RECEIVING,
    WAITING,
    Phase,
)

_MAX_LINGER_BYTES: Final = 1024 * 1024


class _Flow(FlowControl):
    """Flow control that does not resume reading while bytes are held."""

    holding = False

    def resume_reading(self) -> None:
        if not self.holding:
            super().resume_reading()


class _Transport:
    """What a request of uvicorn's writes to: closing it ends the connection in our way."""

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = end


class SerialProtocol(HttpToolsProtocol):
    """A connection whose requests are parsed one after the other."""

    flow: _Flow

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, limits.loop)
        self._limits = limits
        self._framing = Framing()
        self._enter(NEW)
        self._parsing = False
        self._room_bytes = limits.bounds.head_bytes + 1
        """What a head, or what stands between the parts of a chunked body, may still take; one
        byte beyond the limit is enough to know, and how much more came must not matter."""
        self._held = b""
        self._held_from = 0
        self._half_closed = False
        self._discarded_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        super().connection_made(transport)  # type: ignore[arg-type] # uvicorn's narrower type
        self.flow = _Flow(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what is held."""
        self._enter(CLOSING)
        self._drop_held()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as its turn has come."""
        if self._phase in ENDING:
            self._discard(data)
        elif self._held:  # was read before reading was paused, as with TLS
            self._hold(self._held[self._held_from :] + data, 0)
        else:
            self._parse(data, 0)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's type, not uvicorn's
        """True keeps our half open: a sender that has sent all still reads its answers.

        TLS cannot be closed by halves here: the event loop closes it.
        """
        self._half_closed = True
        tls = self.transport.get_extra_info("sslcontext") is not None
        if tls or self._phase in ENDING:
            return False
        if not (self._phase is ANSWERING or self._held):
            return False
        if not self._held:
            self.cycle.keep_alive = False
        return True

    def resume_writing(self) -> None:
        """Its sender reads again: go on with what it sent."""
        super().resume_writing()
        self._go_on()

    def on_headers_complete(self) -> None:
        """Begin a request that goes through ASGI."""
        super().on_headers_complete()
        self.cycle.transport = _Transport(self.transport, self._end)  # type: ignore[assignment]

    def _enter(self, phase: Phase) -> None:
        """Go on to a phase, with its time."""
        self._phase = phase
        timeout_s = self._limits.timeouts_s.get(phase)
        if timeout_s is not None:
            self.deadline = self._limits.loop.time() + timeout_s

    def _parse(self, data: bytes, start: int) -> None:
        """Parse from `start` up to the first request that has to wait; hold the rest."""
        framing, size = self._framing, len(data)
        self._parsing = True
        while start < size and (self._phase in RECEIVING or self._may_begin()):
            counts = not framing.body_left
            end = framing.cut(data, start, self._room_bytes)
            if counts:
                self._room_bytes -= end - start
            self._feed(data[start:end])
            start = end
        self._parsing = False
        if start < size and self._phase not in ENDING:
            self._hold(data, start)

    def _may_begin(self) -> bool:
        """Whether the next request may begin."""
        return self._phase in WAITING and not self.flow.write_paused

    def _feed(self, piece: bytes) -> None:
        """Give a piece to the parser, and deal with the result."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Parse what is held, then read on, as far as nothing waits for an answer."""
        if not (self._held or self._half_closed or self.flow.read_paused):
            return  # as nearly always: its sender waits for each answer
        if self._parsing or not (self._phase in RECEIVING or self._may_begin()):
            return
        if self._held:
            data, start = self._held, self._held_from
            self._drop_held()
            self._parse(data, start)
        if self._held or self._phase in ENDING:
            return
        self.flow.resume_reading()
        if self._half_closed and self._phase is ANSWERING:
            self.cycle.keep_alive = False
        elif self._half_closed:
            self._end()

    def _hold(self, data: bytes, start: int) -> None:
        """Keep what comes behind a request until that is answered; read nothing more till then.

        Where all connections hold too much, it is dropped: the connection is closed once the
        request under way is answered, and a sender sends again what was not.
        """
        fits = self._limits.reserve_body(len(data) - len(self._held))
        self._held, self._held_from = data, start
        if not fits:
            self._limits.refused("overloaded")
            self._end_after_answer()
        elif not self._half_closed:
            self.flow.pause_reading()
            self.flow.holding = True

    def _drop_held(self) -> None:
        if self._held:
            self._limits.reserve_body(-len(self._held))
            self._held = b""
        if self.flow is not None:
            self.flow.holding = False

    def _end_after_answer(self) -> None:
        self._drop_held()
        if self._phase is ANSWERING:
            self._enter(LAST_ANSWER)
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            self.flow.holding = True
        else:
            self._end()

    def _end(self) -> None:
        """Close once the sender has closed, too, or soon.

        A connection that is closed while its sender still sends is reset, and the sender may never
        see the last answer (RFC 9112, section 9.6).
        """
        self._drop_held()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self._half_closed or not self.transport.can_write_eof():
            self._close()
            return
        self._enter(LINGERING)
        self.transport.write_eof()
        self.flow.resume_reading()

    def _close(self) -> None:
        """Close once all is written."""
        self._enter(CLOSING)
        self.transport.close()

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._discarded_bytes > _MAX_LINGER_BYTES:
            self.transport.abort()
