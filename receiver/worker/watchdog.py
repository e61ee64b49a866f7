"""Notices that a handler blocks the event loop, from a thread: the loop cannot say so itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from receiver.observability.logs import get_logger
from receiver.observability.places import stack_of_thread
from receiver.worker.execution import handler_of

BLOCKED_S: Final = 1.0
_TICKS: Final = 4
"""How many looks make up that time: counted, since a process that was suspended is not blocked."""


class LoopWatchdog(threading.Thread):
    """Logs `handler_blocks_loop`, once a blocking, where `loop` runs nothing else for a second.

    `on_blocked` gets the handler's name then, in this thread. What holds the interpreter's lock all
    the time, which only compiled code can, is not seen.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        blocked_s: float = BLOCKED_S,
        on_blocked: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name="loop-watchdog", daemon=True)
        self._loop = loop
        self._on_blocked = on_blocked
        self._loop_thread = threading.current_thread()
        self._look_s = blocked_s / _TICKS
        self._ended = threading.Event()
        self._answered = threading.Event()

    def run(self) -> None:
        """Ask the loop for an answer, and look for it."""
        missed = 0
        self._answered.set()
        while not self._ended.wait(self._look_s):
            if not self._answered.is_set():
                missed += 1
                if missed == _TICKS:
                    self._report()
                continue
            missed = 0
            self._answered.clear()
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._answered.set)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def _report(self) -> None:
        handler = handler_of(asyncio.current_task(self._loop))
        get_logger("yizhan.handlers").error(
            "handler_blocks_loop",
            handler=handler or None,
            stack=stack_of_thread(self._loop_thread),
            action="await it, or write the handler as a plain `def`: that runs in a thread",
        )
        if handler and self._on_blocked is not None:
            self._on_blocked(handler)


@contextlib.contextmanager
def watching_loop(
    *, blocked_s: float = BLOCKED_S, on_blocked: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Watch the running loop while the block runs; see `LoopWatchdog`."""
    loop = asyncio.get_running_loop()
    watchdog = LoopWatchdog(loop, blocked_s=blocked_s, on_blocked=on_blocked)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.end()
