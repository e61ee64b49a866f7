"""`python -m bench.faults.hostile flood|slow|pipeline PORT COUNT`: bad senders in their own
process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from bench.faults.sender import body_of, head_of

_STRANGER = "127.0.0.2"
"""Not the address of the platform's side: limits of one address are not what is looked at."""


@contextlib.asynccontextmanager
async def hostile(kind: str, port: int, count: int) -> AsyncIterator[None]:
    """Run them beside the body."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.faults.hostile", kind, str(port), str(count)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def _slow(port: int) -> None:
    """Half a request, held until it is cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_STRANGER, 0))
    try:
        writer.write(head_of(600)[:-30])
        await reader.read()
    finally:
        writer.close()


async def _flood(port: int) -> None:
    """Bad signatures, each as soon as the one before was refused."""
    body = body_of(1)
    request = head_of(len(body), "0" * 32) + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_STRANGER, 0))
    try:
        while True:
            writer.write(request)
            await reader.readuntil(b"}")
    finally:
        writer.close()


async def _pipeline(port: int) -> None:
    """A megabyte of requests at once, and not one answer is read."""
    body = body_of(1)
    requests = (head_of(len(body), "0" * 32) + body) * (1024 * 1024 // (len(body) + 300))
    address = ("127.0.0.1", port)
    with socket.create_connection(address, source_address=(_STRANGER, 0)) as stranger:
        stranger.settimeout(0)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            await loop.sock_sendall(stranger, requests)
            await asyncio.sleep(20)


async def _for_ever(port: int, count: int, act: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    async def again_and_again() -> None:
        while True:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await act(port)
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(again_and_again())


if __name__ == "__main__":
    acts = {"slow": _slow, "flood": _flood, "pipeline": _pipeline}
    asyncio.run(_for_ever(int(sys.argv[2]), int(sys.argv[3]), acts[sys.argv[1]]))
