"""Where in the code an error was raised, a task waits, a thread is."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

_STACK: Final = 12
_PREFIXES: Final = {"coroutine": "cr", "generator": "gi", "async_generator": "ag"}


def place_of(error: BaseException, module: str = "") -> str:
    """Where it was raised, as `module.function:line`: the last place in `module`, else the last."""
    place, inside = "", ""
    step = error.__traceback__
    while step is not None:
        place = _place(step.tb_frame, step.tb_lineno)
        if step.tb_frame.f_globals.get("__name__") == module:
            inside = place
        step = step.tb_next
    return inside or place


def place_of_task(task: asyncio.Task[Any]) -> str:
    """Where it waits, as `place_of`: the innermost place outside of asyncio; empty where unknown.

    `Task.get_stack` knows the outermost coroutine alone.
    """
    frames = list(_frames(task.get_coro()))
    known = [frame for frame in frames if not _module(frame).startswith("asyncio.")]
    return next((_place(frame, frame.f_lineno) for frame in reversed(known or frames)), "")


def place_of_thread(thread: threading.Thread) -> str:
    """Where it is now, as `place_of`; empty where it has ended."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no public one
    return "" if frame is None else _place(frame, frame.f_lineno)


def stack_of_thread(thread: threading.Thread) -> list[str]:
    """Its places, as `place_of`, innermost first and at most `_STACK`; without local variables."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - there is no public one
    places: list[str] = []
    while frame is not None and len(places) < _STACK:
        places.append(_place(frame, frame.f_lineno))
        frame = frame.f_back
    return places


def _frames(waiting: Any) -> Iterator[FrameType]:
    """Of a coroutine and of what it awaits, outermost first."""
    while prefix := _PREFIXES.get(type(waiting).__name__):
        if (frame := getattr(waiting, f"{prefix}_frame")) is None:
            return
        yield frame
        waiting = getattr(waiting, "gi_yieldfrom" if prefix == "gi" else f"{prefix}_await")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _place(frame: FrameType, line: int) -> str:
    return f"{_module(frame)}.{frame.f_code.co_qualname}:{line}"
