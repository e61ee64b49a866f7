"""The end of a process: in time, though a task, a thread or the event loop hangs.

A stop asks everything to end, and has a deadline. What does not end by then is named in one line of
the log, and the process ends without it. Nothing acknowledged is lost by that: a 200 is sent once
the log or the spool has it on disk, and an event whose handler did not end is delivered again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, NoReturn

from receiver.observability.logs import get_logger, write_out
from receiver.observability.places import place_of_task, place_of_thread
from receiver.resilience.cancellation import cancel_all
from receiver.resilience.deadline import Deadline

_SPARE_S: Final = 0.15
"""How long before the deadline what hangs is given up: to write the line takes a moment."""
_CUT_S: Final = 0.1
_WRITE_S: Final = 0.1
"""How long the last line may take: whoever reads our output may hang, too."""


class LastResort:
    """A thread that ends the process with `code` shortly before the deadline, once that was begun
    by `begin`. A thread, because the event loop may be what hangs.
    """

    def __init__(self, deadline: Deadline, code: int) -> None:
        self.code = code
        self._deadline = deadline
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = SimpleQueue[None]()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be ready for `begin`; the tasks of `loop` are those that are named."""
        self._loop = loop
        threading.Thread(target=self._run, name="last-resort", daemon=True).start()

    def begin(self) -> None:
        """A stop has begun. May be called by a signal's handler: its queue is reentrant, a lock or
        an event is not."""
        self._deadline.begin()
        self._begun.put(None)

    def end(self) -> NoReturn:
        """End the process now, without what is left."""
        _within(_WRITE_S, partial(self._say, threading.current_thread()))
        os._exit(self.code)

    def _run(self) -> None:
        self._begun.get()
        # A thread's own wait: the event loop may be what hangs.
        time.sleep(max(0.0, self._deadline.left_s() - _SPARE_S))
        self.end()

    def _say(self, ending: threading.Thread) -> None:
        tasks: set[asyncio.Task[Any]] = set()
        with contextlib.suppress(RuntimeError):  # the loop goes on meanwhile
            tasks = asyncio.all_tasks(self._loop) if self._loop is not None else set()
        left = [f"task {t.get_name()} in {place_of_task(t)}" for t in tasks]
        left += [f"thread {t.name} in {place_of_thread(t)}" for t in _threads() if t is not ending]
        get_logger("yizhan").error("ended_without", left=sorted(left), exit_code=self.code)
        write_out()
        sys.stdout.flush()


async def wind_up() -> bool:
    """End what is left in this event loop, within a moment; whether all of it has ended."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    ended = await cancel_all({task for task in tasks if task is not None}, patience_s=_CUT_S)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CUT_S):
            await loop.shutdown_asyncgens()
            return ended
    return False


def _threads() -> list[threading.Thread]:
    """Those that the interpreter waits for, and the main one."""
    return [thread for thread in threading.enumerate() if not thread.daemon]


def _within(seconds: float, act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act, name="last-words", daemon=True)
    thread.start()
    thread.join(seconds)
