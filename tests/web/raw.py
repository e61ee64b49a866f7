"""Raw sockets against a real server with short limits."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from starlette.types import Receive, Scope, Send

from receiver.web.connection.limits import EdgeLimits
from receiver.web.delivery import Delivery, Headers
from receiver.web.server import ServerConfig, bind, serving
from receiver.web.tls import Certificate

WHOLE = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
PATIENCE_S = 60.0
_SAME_TIMES = 10


class App:
    """Reads a body and answers with it; `hold` keeps answers back, `large` makes them large.

    It is a `FastPath`, too, that does the same.
    """

    limit_bytes = 1_000

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.large = b""
        self.status = 200
        self.taken: list[Delivery] = []
        self.headers: Headers = ()
        self.seen = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body, more = body + message["body"], message["more_body"]
        self.begun.set()
        self.seen += 1
        if self.hold is not None:
            await self.hold.wait()
        body += self.large
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    def take(self, delivery: Delivery) -> None:
        self.begun.set()
        self.seen += 1
        self.taken.append(delivery)
        self.headers = delivery.headers
        if self.hold is None:
            delivery.answer(self.status, delivery.body + self.large)
            return
        task = asyncio.create_task(self._answer(delivery, self.hold))
        self._tasks.add(task)

    async def _answer(self, delivery: Delivery, hold: asyncio.Event) -> None:
        await hold.wait()
        delivery.answer(200, delivery.body)

    def broken_off(self, delivery: Delivery) -> None:
        self.gone.set()


class Sender:
    """One connection, byte by byte."""

    target = b"POST / "

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        self._writer.write(data.replace(b"POST / ", self.target))
        await self._writer.drain()

    def flood(self, data: bytes) -> None:
        """Say it, without waiting until it is sent."""
        self._writer.write(data.replace(b"POST / ", self.target))

    async def stalled(self) -> int:
        """How many bytes the other side does not take, once it takes no more."""
        before, same = -1, 0
        async with asyncio.timeout(PATIENCE_S):
            while same < _SAME_TIMES:
                await asyncio.sleep(0.02)
                now = self._writer.transport.get_write_buffer_size()
                before, same = now, same + 1 if now == before else 0
        return before

    def end(self) -> None:
        """Close this half of the connection."""
        self._writer.write_eof()

    async def hear(self) -> tuple[int, bytes, bytes]:
        """One answer: its status, head and body."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            return int(head.split()[1]), head.lower(), await self._reader.readexactly(length)

    async def line(self) -> bytes:
        """A head without a body."""
        return await self._reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """Everything until the other side closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Server:
    """A running server with short limits."""

    def __init__(self, url: str, app: App, refusals: list[str]) -> None:
        self.app = app
        self.refusals = refusals
        self._port = int(url.rpartition(":")[2])
        self._senders: list[Sender] = []

    async def sender(self, tls: ssl.SSLContext | None = None) -> Sender:
        sender = Sender(*await asyncio.open_connection("127.0.0.1", self._port, ssl=tls))
        self._senders.append(sender)
        return sender

    async def close(self) -> None:
        for sender in self._senders:
            await sender.close()


@contextlib.asynccontextmanager
async def running(tls: Certificate | None = None, **limits: object) -> AsyncIterator[Server]:
    app, refusals = App(), list[str]()
    chosen = EdgeLimits(**({"receive_timeout_s": PATIENCE_S} | limits))  # type: ignore[arg-type]
    config = ServerConfig(limits=chosen, count=refusals.append, tls=tls)
    async with (
        contextlib.AsyncExitStack() as stack,
        serving(app, bind("127.0.0.1", 0), config, fast_path=app) as url,
    ):
        server = Server(url, app, refusals)
        stack.push_async_callback(server.close)
        yield server
