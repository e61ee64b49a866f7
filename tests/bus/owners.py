"""Processes that run an embedded server, to be killed; and what is left of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

OWNER = """
import asyncio, os, signal, sys
from pathlib import Path
import nats
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig

async def main():
    server = EmbeddedServer(EmbeddedServerConfig(Path(sys.argv[1]), port=0))
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    await server.start()
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="S", subjects=["s"])
    print(server.pid, flush=True)
    await interrupted.wait()
    print((await client.jetstream().publish("s", b"drained")).seq, flush=True)
    await client.close()
    await server.stop()

asyncio.run(main())
"""
"""Says the server's process id; on SIGINT stores a message, says its sequence, and stops."""

DYING_OWNER = OWNER.replace(
    "async def main",
    """
spawn = asyncio.create_subprocess_exec

async def spawn_and_die(*args, **options):
    process = await spawn(*args, **options)
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.create_subprocess_exec = spawn_and_die

async def main""",
)
"""Kills itself at the first process that it has started."""


def processes(data_dir: Path) -> dict[int, int]:
    """Each living process whose working directory this is, with its parent."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z" and (process / "cwd").resolve() == data_dir.resolve():
                found[int(process.name)] = int(parent)
        except OSError:
            continue
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def nothing_runs(data_dir: Path) -> None:
    await until(lambda: not processes(data_dir))


class Owner:
    """A process, in a session of its own, that runs a server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            return int(await self.process.stdout.readline())

    async def killed(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


@asynccontextmanager
async def owner(data_dir: Path, code: str = OWNER) -> AsyncIterator[Owner]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    running = Owner(process)
    try:
        yield running
    finally:
        await running.killed()
        await nothing_runs(data_dir)
