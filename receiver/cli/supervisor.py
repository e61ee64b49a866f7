"""Several receiver processes on one port (`receiver.workers`), started and kept alive by a parent.

Each worker listens on a socket of its own that the parent made (`SO_REUSEPORT`), so the kernel
spreads the connections, and what waits for a worker that died waits for its successor. A worker
ends when its parent does, however that ends: it reads the end of a pipe. The URL of NATS comes
through that pipe, since a password in the arguments of a process is seen by everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from receiver.cli.app import ConfigOption, app
from receiver.cli.process import EXIT_FAILED, Stop, fail, run, tune_gc
from receiver.cli.reload import reloading
from receiver.composition.bus import batches_staged, opened_bus
from receiver.composition.receiver import certificate, running_receiver
from receiver.errors import ConfigurationError
from receiver.observability.logs import configure_logs, get_logger
from receiver.resilience import supervision
from receiver.resilience.backoff import Backoff
from receiver.resilience.cancellation import cancel_all, within
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings, development
from receiver.web.server import bind

_COMMAND: Final = "receive-worker"
_READY: Final = b"ready\n"
_AFTER_GRACE_S: Final = 0.5
"""What a worker may take beyond its grace time, to close the spool and its connections, before it
is killed: what it answered is on disk."""
_KILLED_S: Final = 0.1
_BACKOFF: Final = Backoff((0.1, 0.5, 2.0, 5.0))


def bind_all(settings: Settings) -> list[socket.socket]:
    """A listening socket for each worker, all on one port; raises `ConfigurationError`."""
    host, port, count = (
        settings.receiver.host,
        settings.receiver.port,
        settings.receiver.workers,
    )
    first = bind(host, port)  # without SO_REUSEPORT: another run on this port is found out
    if count == 1:
        return [first]
    port = first.getsockname()[1]
    first.close()
    return [bind(host, port, shared=True) for _ in range(count)]


class ReceiverProcesses:
    """The worker processes of one parent."""

    def __init__(
        self,
        arguments: Sequence[str],
        nats_url: str,
        listeners: Sequence[socket.socket],
        deadline: Deadline,
    ) -> None:
        self._arguments = arguments
        self._nats_url = nats_url
        self._listeners = listeners
        self._deadline = deadline
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._keeping: list[asyncio.Task[None]] = []
        self._log = get_logger("yizhan.workers")

    async def start(self) -> None:
        """Return once all serve; raises `ConfigurationError` where one does not."""
        started = [self._start(number) for number in range(len(self._listeners))]
        if not all(await asyncio.gather(*started)):
            raise ConfigurationError("a worker did not start: its reason stands above")
        self._keeping = [
            supervision.start(partial(self._keep, number), name=f"worker-{number}")
            for number in self._processes
        ]

    async def stop(self) -> None:
        """Let each answer what is in flight; kill those that take too long."""
        try:
            await cancel_all(set(self._keeping))
        finally:
            for listener in self._listeners:
                listener.close()  # or connections would wait in a queue that is never accepted from
            self.signal(signal.SIGTERM)
        try:
            await within(
                self._deadline.step_s(beyond_s=_AFTER_GRACE_S), self._ended(), name="workers-end"
            )
        finally:
            self.signal(signal.SIGKILL)
        await within(_KILLED_S, self._ended(), name="workers-killed")

    async def _ended(self) -> None:
        await asyncio.gather(*(process.wait() for process in self._processes.values()))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to each that lives."""
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _start(self, number: int) -> bool:
        """Start one and wait until it serves."""
        listener = self._listeners[number].fileno()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "receiver", _COMMAND, "--number", str(number)),
            *("--listener", str(listener), *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[listener],
            start_new_session=True,  # Ctrl-C is for the parent, which signals us
        )
        self._processes[number] = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self._nats_url}\n".encode())
        return await process.stdout.readline() == _READY

    async def _keep(self, number: int) -> None:
        """Start one again whenever it ended by itself."""
        failures = 1
        while True:
            code = await self._processes[number].wait()
            self._log.error("worker_died", worker=number, exit_code=code, action="restart")
            await asyncio.sleep(_BACKOFF.pause_s(failures))
            failures = 1 if await self._start(number) else failures + 1


@contextlib.asynccontextmanager
async def running_workers(
    config: Path | None,
    settings: Settings,
    nats_url: str,
    listeners: Sequence[socket.socket],
    *,
    deadline: Deadline,
    simulate: bool = False,
) -> AsyncIterator[ReceiverProcesses]:
    """The receiver in several processes; SIGHUP reaches them all. Leaving lets each drain."""
    certificate(settings)  # reported once, rather than by each worker
    arguments = ["--config", str(config)] if config else []
    arguments += ["--simulate"] if simulate else []
    workers = ReceiverProcesses(arguments, nats_url, listeners, deadline)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, workers.signal, signal.SIGHUP)
    try:
        await workers.start()
        yield workers
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        await workers.stop()


@app.command(_COMMAND, hidden=True)
def receive_worker(
    listener: Annotated[int, typer.Option(help="The listening socket's descriptor.")],
    number: Annotated[int, typer.Option(help="Which worker this is.")],
    config: ConfigOption = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="As the parent's.")] = False,
) -> None:
    """One worker of a receiver; started by its parent, ends with it."""
    try:
        settings, _ = development.load(config, simulate=simulate)
    except ConfigurationError as error:
        fail(error)
    configure_logs(settings.log)
    structlog.contextvars.bind_contextvars(worker=number)
    started = settings  # the parent may have another URL of NATS than they name
    nats = settings.nats.model_copy(update={"url": _line_from(0)})
    settings = settings.model_copy(update={"nats": nats})

    async def main(stop: Stop) -> int:
        loop = asyncio.get_running_loop()
        loop.add_reader(0, stop.set)  # nothing more is written: readable means that it was closed
        async with (
            opened_bus(
                settings,
                name=f"yizhan-receive-{number}",
                receiving=True,
                deadline=stop.deadline,
                staged=batches_staged(started),
            ) as bus,
            running_receiver(
                settings, bus, socket.socket(fileno=listener), worker=number
            ) as receiver,
            reloading(config, started, receiver, bus, simulate=simulate),
        ):
            tune_gc()
            sys.stdout.buffer.write(_READY)
            sys.stdout.buffer.flush()
            await stop.wait()
            loop.remove_reader(0)
        return 0

    run(main, grace_s=settings.receiver.grace_s, stays=True)


def _line_from(descriptor: int) -> str:
    """The one line that the parent writes; ends the process where the parent ended before."""
    read = b""
    while not read.endswith(b"\n"):
        if not (more := os.read(descriptor, 4096)):
            sys.exit(EXIT_FAILED)
        read += more
    return read.decode().strip()
