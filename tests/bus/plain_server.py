"""A nats-server as somebody else runs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from receiver.embedded.server import server_binary
from tests.bus.cluster import free_ports


@contextlib.asynccontextmanager
async def plain_server(directory: Path, more: str, *, stores: bool = True) -> AsyncIterator[str]:
    """The address of a nats-server with `more` in its configuration."""
    (port,) = free_ports(1)
    file = directory / "server.conf"
    store = f'jetstream {{ store_dir: "{directory / "store"}" }}\n' if stores else ""
    file.write_text(f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n{store}{more}\n')
    process = await asyncio.create_subprocess_exec(
        server_binary(), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()
