"""A pytest plugin: how a test that exceeds pytest-timeout's limit ends.

The stacks of all threads and the place where each asyncio task waits are written to standard error,
and the process ends: under pytest-xdist that is a worker, which is replaced, and the test is
reported as failed. pytest-timeout's own methods write to standard output, which a worker does not
have, and know no tasks; its signal would leave the fixtures of an event loop waiting for ever.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any, Final, Protocol, TextIO

import pytest
from pytest_timeout import is_debugging

_STDERR: Final = pytest.StashKey[TextIO]()
_TIMER: Final = pytest.StashKey[threading.Timer]()


class _TimeoutSettings(Protocol):
    timeout: float


def pytest_configure(config: pytest.Config) -> None:
    """Keep the real standard error, before the output of tests is captured."""
    config.stash[_STDERR] = os.fdopen(os.dup(2), "w", encoding="utf-8")


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: _TimeoutSettings) -> bool:
    end = partial(_end, item.nodeid, settings.timeout, item.config.stash[_STDERR])
    timer = threading.Timer(settings.timeout, end)
    timer.daemon = True
    timer.start()
    item.stash[_TIMER] = timer
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool:
    if timer := item.stash.get(_TIMER, None):
        timer.cancel()
    return True


def _end(test: str, limit_s: float, out: TextIO) -> None:
    if is_debugging():
        return
    try:
        print(f"\n{test} did not end in {limit_s:g} s", file=out, flush=True)
        faulthandler.dump_traceback(out, all_threads=True)
        for task in _tasks():
            print(f"Task {task.get_name()} (outermost call first):", file=out)
            frames = ((frame, frame.f_lineno) for frame in _awaiting(task.get_coro()))
            print(*traceback.StackSummary.extract(frames).format(), sep="", file=out, flush=True)
    finally:
        os._exit(1)


def _tasks() -> list[asyncio.Task[Any]]:
    """Those of every event loop; `asyncio.all_tasks` knows the loop of its own thread alone."""
    found = [each for each in gc.get_objects() if issubclass(type(each), asyncio.Task)]
    return [task for task in found if not task.done()]


def _awaiting(waiting: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, outermost first."""
    prefixes = {"coroutine": "cr", "generator": "gi", "async_generator": "ag"}
    while prefix := prefixes.get(type(waiting).__name__):
        if (frame := getattr(waiting, f"{prefix}_frame")) is None:
            return
        yield frame
        waiting = getattr(waiting, "gi_yieldfrom" if prefix == "gi" else f"{prefix}_await")
