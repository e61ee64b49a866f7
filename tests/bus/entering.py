"""Asks a nats-server for entry, in its own protocol: a refused nats-py leaves its socket open."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit


async def enters(url: str) -> bool:
    """Whether the server lets a client with this URL in; raises `OSError` where none listens."""
    parts = urlsplit(url)
    named = {"user": parts.username, "pass": parts.password} if parts.username else {}
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"CONNECT %s\r\nPING\r\n" % json.dumps({"verbose": False, **named}).encode())
    async with asyncio.timeout(60):
        while not (line := await reader.readline()).startswith((b"PONG", b"-ERR")):
            assert line, "the server closed the connection without a word"
    writer.close()
    await writer.wait_closed()
    assert line.startswith(b"PONG") or b"Authorization Violation" in line
    return line.startswith(b"PONG")
