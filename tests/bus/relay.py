"""A relay in front of a real server, which records or rewrites what goes over the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


@asynccontextmanager
async def relayed(
    url: str, *, sent: bytearray | None = None, rewritten: tuple[bytes, bytes] = (b"", b"")
) -> AsyncIterator[str]:
    """The URL of a relay to the server at `url`.

    What clients send is added to `sent`; of what the server sends the first of `rewritten` is
    replaced by the second, which has its length.
    """
    writers: list[asyncio.StreamWriter] = []

    async def pass_on(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, outward: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if outward and sent is not None:
                    sent.extend(data)
                if not outward and rewritten[0]:
                    data = data.replace(*rewritten)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = urlsplit(url)
        server_reader, server_writer = await asyncio.open_connection(at.hostname, at.port)
        writers.extend((writer, server_writer))
        await asyncio.gather(
            pass_on(reader, server_writer, outward=True),
            pass_on(server_reader, writer, outward=False),
        )

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"nats://{host}:{port}"
    finally:
        for writer in writers:
            writer.close()
        server.close()
