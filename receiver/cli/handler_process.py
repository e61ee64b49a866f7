"""The handlers in a process of their own, so that none of them can delay or end the receiver.

A handler may block the event loop, use up the processor, or end its process. The process is a child
that is started again when it dies, after a pause that grows. It gets the settings and the URL of
NATS through a socket, since arguments and environment are readable by others; it ends when its
parent does, however that ends: it reads the end of that socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Final

import typer
from pydantic import SecretStr, TypeAdapter

from receiver.cli.app import app
from receiver.cli.permissions import rights_to_handle
from receiver.cli.process import EXIT_CONFIGURATION, EXIT_FAILED, Stop, run, tune_gc
from receiver.composition.bus import opened_bus
from receiver.composition.worker import running_worker
from receiver.errors import ConfigurationError
from receiver.observability.logs import configure_logs, get_logger
from receiver.resilience import supervision
from receiver.resilience.backoff import Backoff
from receiver.resilience.deadline import CLOSING_S, Deadline
from receiver.settings import Settings
from receiver.settings.secret_files import without_files
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler

_COMMAND: Final = "handler-process"
_AFTER_GRACE_S: Final = 0.5
"""What the process may take beyond the grace time, to cancel its runs and to disconnect, before we
kill it: what it held is delivered again."""
_KILLED_S: Final = 0.1
_BACKOFF: Final = Backoff((0.5, 1.0, 2.0, 5.0, 10.0, 30.0))
_STEADY_S: Final = 60.0
"""A process that lived this long did not die of its start: the pauses begin anew."""
_CHUNK_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class Share:
    """Which of the handlers a process runs: all but some, or one alone."""

    without: tuple[str, ...] = ()
    alone: str | None = None

    def of(self, handlers: Sequence[Handler]) -> list[Handler]:
        """Those among `handlers`."""
        if self.alone is not None:
            return [handler for handler in handlers if handler.name == self.alone]
        return [handler for handler in handlers if handler.name not in self.without]


class HandlerProcess:
    """The child process that runs a share of the handlers of `settings`, from `start` to `stop`.

    Where one of several blocks its event loop, `on_blocked` gets the process and the name.
    """

    def __init__(
        self,
        settings: Settings,
        nats_url: str,
        deadline: Deadline,
        share: Share,
        on_blocked: Callable[[HandlerProcess, str], None],
    ) -> None:
        nats = settings.nats.model_copy(update={"url": nats_url})
        self._settings = settings.model_copy(update={"nats": nats})
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._deadline = deadline
        self.share = share
        self._on_blocked = on_blocked
        self._reported = b""
        self._stopping = False
        self._terminated: asyncio.subprocess.Process | None = None
        self._log = get_logger("yizhan.handlers")

    @property
    def pid(self) -> int:
        """Its process id, 0 where it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    async def start(self) -> None:
        """Return once the handlers are loaded and pull; raises `ConfigurationError` where they
        cannot be loaded."""
        await self._spawn()
        self._keeping = supervision.start(self._keep, name="handler-process")

    async def restart(self) -> None:
        """Run what the modules hold now; where they do not load, log that and run nothing."""
        await supervision.stop(self._keeping)
        self._keeping = None
        process = self._process
        if process is not None and process.returncode is None:
            self._terminate(process)
            await self._wait_or_kill(process, Deadline(self._deadline.grace_s))
        if self._stopping:
            return
        try:
            await self._spawn()
        except ConfigurationError as error:
            self._log.error("handlers_not_started", error=str(error))
        else:
            self._keeping = supervision.start(self._keep, name="handler-process")

    def begin_stop(self) -> None:
        """Have the process stop beside us: its handlers have their grace time while we have ours,
        and it is not started again."""
        self._stopping = True
        self._terminate(self._process)

    async def stop(self, end: Deadline | None = None) -> None:
        """Let the running handlers finish within the grace time, that of the whole stop unless
        another is given; kill what takes longer."""
        self._stopping = True
        try:
            await supervision.stop(self._keeping)
            process = self._process
            if process is not None and process.returncode is None:
                self._terminate(process)
                await self._wait_or_kill(process, end or self._deadline)
        finally:
            self._release()

    def _terminate(self, process: asyncio.subprocess.Process | None) -> None:
        """Once: a second signal would kill it."""
        if process is not None and process.returncode is None and process is not self._terminated:
            self._terminated = process
            process.send_signal(signal.SIGTERM)

    async def _wait_or_kill(self, process: asyncio.subprocess.Process, end: Deadline) -> None:
        try:
            async with asyncio.timeout(end.step_s(beyond_s=_AFTER_GRACE_S)):
                await process.wait()
        except TimeoutError:
            limit_s = end.grace_s + _AFTER_GRACE_S
            self._log.error("handler_process_killed", error=f"it did not end within {limit_s:g} s")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILLED_S):
                    await process.wait()

    async def _spawn(self) -> None:
        """Start the process and wait until it works; raises `ConfigurationError`."""
        self._release()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "receiver", _COMMAND, "--control", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the parent, which stops it
            )
        error = await self._first_answer()
        if error is None:
            asyncio.get_running_loop().add_reader(self._control, self._read_reports, self._control)
            return
        code = await self._process.wait()
        raise ConfigurationError(
            error
            or f"the handlers did not start: their process ended with code {code}; "
            "what it wrote stands above"
        )

    async def _first_answer(self) -> str | None:
        """None where the process works; else why not, empty where it ended without an answer."""
        assert self._control is not None
        self._control.setblocking(False)
        loop = asyncio.get_running_loop()
        read = b""
        try:
            await loop.sock_sendall(self._control, _dumped(self._settings, self.share))
            while b"\n" not in read:
                if not (more := await loop.sock_recv(self._control, _CHUNK_BYTES)):
                    return ""
                read += more
        except ConnectionError:
            return ""
        line, _, self._reported = read.partition(b"\n")  # a handler may have blocked by now
        error: str | None = json.loads(line)["error"]
        return error

    async def _keep(self) -> None:
        """Start it again whenever it ended by itself."""
        failures = 0
        while True:
            assert self._process is not None
            started = time.monotonic()
            code = await self._process.wait()
            if self._stopping:
                return
            failures = 1 if time.monotonic() - started > _STEADY_S else failures + 1
            pause_s = _BACKOFF.pause_s(failures)
            self._log.error(
                "handler_process_died", exit_code=code, action="restart", delay_s=pause_s
            )
            await asyncio.sleep(pause_s)
            try:
                await self._spawn()
            except ConfigurationError as error:
                self._log.error("handlers_not_started", error=str(error))

    def _read_reports(self, control: socket.socket) -> None:
        """Names of handlers that block, a line each."""
        with contextlib.suppress(OSError):
            if more := control.recv(_CHUNK_BYTES):
                *names, self._reported = (self._reported + more).split(b"\n")
                for name in names:
                    self._on_blocked(self, name.decode())
                return
        asyncio.get_running_loop().remove_reader(control)

    def _release(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control, self._reported = None, b""


@app.command(_COMMAND, hidden=True)
def handler_process(
    control: Annotated[int, typer.Option(help="The descriptor of the socket to the parent.")],
) -> None:
    """Run the handlers below a parent, and end with it."""
    parent = socket.socket(fileno=control)
    settings, share = _read(parent)
    watch = partial(_end_with, parent, settings.handlers.grace_s + CLOSING_S)
    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    configure_logs(settings.log)

    async def main(stop: Stop) -> int:
        async with contextlib.AsyncExitStack() as stack:
            try:
                handlers = configured_handlers(settings.handlers)  # what is wrong is said at once
                rights = rights_to_handle(settings)
                bus = await stack.enter_async_context(
                    opened_bus(
                        settings, name="yizhan-handlers", rights=rights, deadline=stop.deadline
                    )
                )
                mine = share.of(handlers)
                blocked = partial(_report, parent) if len(mine) > 1 else None
                await stack.enter_async_context(
                    running_worker(settings, bus, handlers=mine, on_blocked=blocked)
                )
            except ConfigurationError as error:
                parent.sendall(_answer(str(error)))
                return EXIT_CONFIGURATION
            parent.sendall(_answer(None))
            tune_gc()
            await stop.wait()
        return 0

    run(main, grace_s=settings.handlers.grace_s, stays=True)


def _end_with(parent: socket.socket, limit_s: float) -> None:
    """Stop this process once the parent has ended; a thread, since a handler may block the loop."""
    with contextlib.suppress(OSError):
        while parent.recv(1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(limit_s)  # of this thread alone
    os._exit(EXIT_FAILED)


def _answer(error: str | None) -> bytes:
    return json.dumps({"error": error}).encode() + b"\n"


def _report(parent: socket.socket, handler: str) -> None:
    with contextlib.suppress(OSError):
        parent.sendall(handler.encode() + b"\n")


def _dumped(settings: Settings, share: Share) -> bytes:
    """What to run, as one line of JSON, secrets included: for a private socket only."""
    values = _revealed(without_files(settings).model_dump())
    return json.dumps([values, asdict(share)], default=str).encode() + b"\n"


def _revealed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _revealed(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(inner) for inner in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _read(parent: socket.socket) -> tuple[Settings, Share]:
    """What the parent dumped; ends the process where the parent ended before."""
    with parent.makefile("rb") as lines:
        line = lines.readline()
    if not line.endswith(b"\n"):
        sys.exit(EXIT_FAILED)
    values, share = json.loads(line)
    # Not by the constructor, which would let the environment win over what the parent runs with.
    sections = {
        name: TypeAdapter(section.rebuild_annotation()).validate_python(values[name])
        for name, section in Settings.model_fields.items()
    }
    return Settings.model_construct(**sections), Share(tuple(share["without"]), share["alone"])
