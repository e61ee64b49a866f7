"""Uvicorn, run inside our event loop: our signals, our logs, a port that is bound up front."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import uvicorn
from starlette.types import ASGIApp

from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.cancellation import cancel_all
from receiver.resilience.deadline import Deadline
from receiver.web.answers import AnswerWriter
from receiver.web.connection.limits import ConnectionLimits, EdgeLimits, Expiring
from receiver.web.connection.protocol import BoundedProtocol
from receiver.web.delivery import FastPath
from receiver.web.middleware import AdmissionMiddleware
from receiver.web.tls import Certificate

BACKLOG: Final = 2048

_TLS_HANDSHAKE_S: Final = 5.0
_UVICORN_S: Final = 0.2
"""For how long uvicorn sleeps in its stop before it begins to count."""
_CUT_S: Final = 0.1
_SECURITY_HEADERS: Final = (
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)
_OVER_TLS: Final = ("strict-transport-security", "max-age=31536000")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How to serve: the bounds, how long a stop may take, TLS where it ends here.

    With a `deadline`, a stop is over by then. `count` gets the reason for which a connection or
    request was refused before the application. `headers` go with every answer.
    """

    limits: EdgeLimits = field(default_factory=EdgeLimits)
    grace_s: float = 10.0
    deadline: Deadline | None = None
    tls: Certificate | None = None
    count: Callable[[str], None] = lambda _: None
    headers: Sequence[tuple[str, str]] = _SECURITY_HEADERS


class _Server(uvicorn.Server):
    """Uvicorn's server, with our protocol and without its handling of signals."""

    def __init__(
        self,
        config: uvicorn.Config,
        limits: ConnectionLimits,
        fast_path: FastPath | None,
        tls: Certificate | None,
    ) -> None:
        super().__init__(config)
        self._limits = limits
        self._fast_path = fast_path
        self._tls = tls

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process: it stops the parts in the right order."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets; raises what the event loop raises."""
        make = partial(
            BoundedProtocol,
            self.config,
            self.server_state,
            limits=self._limits,
            fast_path=self._fast_path,
            writer=AnswerWriter(),
            app_state={},
        )
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {"ssl": self._tls.context, "ssl_handshake_timeout": _TLS_HANDSHAKE_S}
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(make, sock=listener, backlog=BACKLOG, **tls)
            for listener in sockets or ()
        ]
        self.started = True


def bind(host: str, port: int, *, shared: bool = False, section: str = "receiver") -> socket.socket:
    """A listening socket; raises `ConfigurationError` where the address cannot be had, which names
    the settings of `section`.

    Several that are `shared` may listen on one port, and the kernel spreads the connections; each
    begins to listen when it is served.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: an answer in two writes would wait for a delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if not shared:
            listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the library's own shape
    except OSError as error:
        listener.close()
        raise ConfigurationError(_cannot_listen(host, port, error, section)) from error
    return listener


def _cannot_listen(host: str, port: int, error: OSError, section: str) -> str:
    fault = f"cannot listen on {host}:{port}: {error.strerror}"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{section}.host: {fault}: write an address of this machine, 127.0.0.1 or 0.0.0.0"
    if error.errno == errno.EACCES:
        return f"{section}.port: {fault}: write 1024 or more, or grant CAP_NET_BIND_SERVICE"
    return (
        f"{section}.port: {fault}: "
        f"stop what uses it, or set {section}.port to another (0 picks a free one)"
    )


def base_url(listener: socket.socket, *, tls: bool = False) -> str:
    """The URL by which a process on this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    scheme = "https" if tls else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    listener: socket.socket,
    server_config: ServerConfig | None = None,
    *,
    fast_path: FastPath | None = None,
) -> AsyncIterator[str]:
    """Serve `app` on `listener`; gives the base URL. Leaving answers what is in flight first.

    Plain callbacks go to `fast_path`, where there is one, past `app`.
    """
    chosen = server_config or ServerConfig()
    limits = ConnectionLimits(chosen.limits, count=chosen.count)
    config = _uvicorn_config(AdmissionMiddleware(app, limits), chosen)
    server = _Server(config, limits, fast_path, chosen.tls)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    task.add_done_callback(lambda _: _give_up(server))
    connections = cast("set[Expiring]", server.server_state.connections)  # all are ours
    sweep = supervision.start(partial(limits.sweep, connections), name="sweep")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if task.done():
            await task
        yield base_url(listener, tls=chosen.tls is not None)
    finally:
        try:
            await _stop(server, task, chosen.deadline or Deadline(chosen.grace_s), chosen.grace_s)
        finally:
            await supervision.stop(sweep)
            listener.close()


async def _stop(
    server: uvicorn.Server, task: asyncio.Task[None], deadline: Deadline, grace_s: float
) -> None:
    """Have uvicorn answer what is in flight; it cancels the rest once, and we until it has ended.

    Raises what the server raised.
    """
    grace_s = max(_UVICORN_S, min(grace_s, deadline.grace_left_s()))
    # It is only waited for, so it may be a fraction of a second.
    server.config.timeout_graceful_shutdown = grace_s - _UVICORN_S  # type: ignore[assignment]
    server.should_exit = True
    try:
        await asyncio.wait({task}, timeout=grace_s + _CUT_S)
    finally:
        requests: set[asyncio.Task[Any]] = server.server_state.tasks
        await cancel_all({task} | requests, patience_s=_CUT_S)
    if not task.cancelled() and task.done():
        task.result()


def _give_up(server: uvicorn.Server) -> None:
    """End the process where the server ended by itself, a defect: another may start it again."""
    if server.started and not server.should_exit:
        get_logger("yizhan.receiver").error("receiver_ended")
        signal.raise_signal(signal.SIGTERM)


def _uvicorn_config(app: ASGIApp, chosen: ServerConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        headers=[*chosen.headers, *([_OVER_TLS] if chosen.tls else [])],
    )
