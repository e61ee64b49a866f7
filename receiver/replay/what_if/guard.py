"""Keeps what a handler does on its own inside the process, as far as Python can see it.

`ProcessGuard` is for a process that does nothing else: what it refuses stays refused until the end.
It sees what goes through Python's own modules: connections and datagrams of `socket`, and so of
every library and event loop in Python; processes; signals. Compiled code that opens a connection by
itself, as some drivers of databases do, is not seen; nor is an event loop such as uvloop. What is
written to files is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from receiver.errors import TimeLimitError
from receiver.worker.execution import handler_of

_OURS: Final[ContextVar[bool | None]] = ContextVar("ours", default=None)
"""Whether what runs is Yizhan's own; None in a thread with a context of its own."""
_LOOKUP: Final = "socket.getaddrinfo"
_NETWORK: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROCESSES: Final = frozenset(
    {
        *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn"),
        *("os.spawn", "os.startfile", "pty.spawn", "os.kill", "os.killpg"),
    }
)
_REFUSED: Final = _NETWORK | _PROCESSES | {_LOOKUP}
_LONGER_S: Final = 1.0
"""A run whose event loop goes on is ended at its time limit; one that blocks it, so much later."""


class Guard:
    """What what-if runs share: `noted` is what the run under way asked for in vain.

    This one refuses nothing: for tests, and for handlers that use `ctx` alone.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []

    @contextlib.contextmanager
    def running(self, timeout_s: float) -> Iterator[None]:
        """Around what a handler does."""
        yield


class ProcessGuard(Guard):
    """Refuses what would leave the process from now on; to be made in the main thread, in the
    context that what is Yizhan's own runs in.
    """

    def __init__(self) -> None:
        super().__init__()
        _OURS.set(True)
        sys.addaudithook(self._audit)
        exit_now = os._exit

        def refuse_exit(status: int) -> None:
            """Otherwise the handler would say how the command ended."""
            frame = inspect.currentframe()
            caller = frame.f_back if frame else None
            if caller and str(caller.f_globals.get("__name__")).startswith("receiver."):
                exit_now(status)
            raise SystemExit(status)

        os._exit = refuse_exit  # type: ignore[assignment] # it returns where it is refused

    @contextlib.contextmanager
    def running(self, timeout_s: float) -> Iterator[None]:
        """Around what a handler does, or the import of its module."""
        token = _OURS.set(False)
        before = signal.signal(signal.SIGALRM, lambda _, frame: _end_blocking(frame, timeout_s))
        signal.setitimer(signal.ITIMER_REAL, timeout_s + _LONGER_S, _LONGER_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            _OURS.reset(token)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _REFUSED or (ours := _OURS.get()):
            return
        if event == _LOOKUP and ((ours is None and _of_the_loop()) or _is_address(arguments[0])):
            return
        address = arguments[:2] if event == _LOOKUP else arguments[1] if event in _NETWORK else ()
        if address is None:  # to where the socket is connected, which was asked then
            return
        what = f"{event} {_host(address)}".strip()
        self.noted.append(what)
        raise PermissionError(f"a what-if run does nothing outside: {what} is refused")


class GuardedLoop(asyncio.SelectorEventLoop):
    """An event loop that a `ProcessGuard` sees, its look-ups too, which are made by threads."""

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """See `AbstractEventLoop.getaddrinfo`."""
        sys.audit(_LOOKUP, host, port)
        return await super().getaddrinfo(host, port, **how)


def _of_the_loop() -> bool:
    """Whether a thread of the event loop looks up for a task, see `GuardedLoop`."""
    return threading.current_thread().name.startswith("asyncio_")


def _is_address(host: Any) -> bool:
    """Whether nobody is asked for it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host(address: Any) -> str:
    """Of a local socket there is a path, which is left out."""
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) and address[1:] else ""


def _end_blocking(_: FrameType | None, timeout_s: float) -> None:
    """Raise in a handler that blocks the event loop; elsewhere the loop itself sees to its time."""
    with contextlib.suppress(RuntimeError):  # no event loop runs, such as during an import
        if handler_of(asyncio.current_task()):
            raise TimeLimitError(timeout_s)
