"""A real uvicorn on a free port of the loopback, within the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

_GRACE_S = 1


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals belong to the process around us."""
        yield


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve `app`; gives the base URL. Leaving lets calls under way end within a second.

    `scope["cut"]()` closes the connection of a request at once, as a network that fails does.
    """

    async def cuttable(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "cut": lambda: _cut(server, scope["client"])}, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio leaves it off for sockets of this kind, and each answer waits 40 ms for its ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        cuttable,
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="simulated-api")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


def _cut(server: uvicorn.Server, client: tuple[str, int]) -> None:
    """Close the connection of a client; uvicorn has no call for this, so it is looked for."""
    for connection in list(server.server_state.connections):
        if getattr(connection, "client", None) == client and connection.transport is not None:
            connection.transport.abort()
