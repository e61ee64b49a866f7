"""Calls a handler's function and gives what became of it, whatever it does.

A coroutine runs in a task of its own, a plain function in a thread of its own. Whatever it raises
is returned, `SystemExit` and `KeyboardInterrupt` too: raised in a task, these end the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from receiver.errors import TimeLimitError, YizhanError
from receiver.observability.logs import get_logger
from receiver.observability.places import place_of_task, place_of_thread
from receiver.resilience.cancellation import cancel, say_left
from receiver.worker.interface import Context, HandlerFunction

ResultT = TypeVar("ResultT")

MAX_LEFT_THREADS: Final = 64
"""So many threads may be left behind; beyond them a plain function is not called any more."""
_ENDS_S: Final = 0.1
"""What a run may take to end at a stop: less than the consumer waits for it."""

_HANDLER: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("handler")
_handler_of: Final[WeakKeyDictionary[asyncio.Task[Any], str]] = WeakKeyDictionary()
_left_threads: Final[set[threading.Thread]] = set()


@dataclass(slots=True)
class Call(Generic[ResultT]):
    """How a call ended: with a value, or with an error and its place where that is known."""

    value: ResultT | None = None
    error: BaseException | None = None
    place: str = ""


_Ended: TypeAlias = asyncio.Future[Call[ResultT] | None]
"""Gets the result of a call, or None where its time is up."""


async def call(
    function: HandlerFunction,
    event: Any,
    context: Context,
    *,
    read: Callable[[Any], ResultT],
    name: str,
    timeout_s: float,
) -> Call[ResultT]:
    """Call the function of the handler `name`, and give what `read` makes of its result.

    After `timeout_s` it has failed with a `TimeLimitError`. A coroutine is cancelled then; one that
    ignores it, and a thread, is left behind and logged. Raises `CancelledError` where the caller is
    cancelled, and nothing else.
    """
    if inspect.iscoroutinefunction(function):
        return await _in_task(function(event, context), read, name, timeout_s)
    return await _in_thread(lambda: read(function(event, context)), name, timeout_s)


def handler_of(task: asyncio.Task[Any] | None) -> str:
    """The handler that a task runs for, its own subtasks included; empty where it is none."""
    return "" if task is None else _handler_of.get(task, "")


def contain_subtasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have the tasks that handlers start end in an error where they would end the event loop."""
    loop.set_task_factory(_contained_task)


async def wait_for(awaitable: Awaitable[ResultT]) -> ResultT:
    """An awaitable as a coroutine, for a thread that waits for it."""
    return await awaitable


async def _in_task(
    coroutine: Coroutine[Any, Any, Any],
    read: Callable[[Any], ResultT],
    name: str,
    timeout_s: float,
) -> Call[ResultT]:
    ended: _Ended[ResultT] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_run(coroutine, read, name, ended), name=f"run-{name}")
    _handler_of[task] = name
    try:
        if (result := await _within(ended, timeout_s)) is not None:
            return result
        place = place_of_task(task)
        await cancel(task)
    except asyncio.CancelledError:
        await _end(task)
        raise
    return Call(error=TimeLimitError(timeout_s), place=place)


async def _run(
    coroutine: Coroutine[Any, Any, Any],
    read: Callable[[Any], ResultT],
    name: str,
    ended: _Ended[ResultT],
) -> None:
    _HANDLER.set(name)
    try:
        result = Call(read(await coroutine))
    except BaseException as error:  # noqa: BLE001 - the boundary round a handler
        _set(ended, Call(error=error))
    else:
        _set(ended, result)


async def _within(ended: _Ended[ResultT], timeout_s: float) -> Call[ResultT] | None:
    """How the call ended; None where it has not within `timeout_s`.

    For each run: `asyncio.wait` would take twice as long.
    """
    timer = asyncio.get_running_loop().call_later(timeout_s, _set, ended, None)
    try:
        return await ended
    finally:
        timer.cancel()


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel a run for a caller that is cancelled itself, again and again, in its turn."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _ENDS_S
    while not task.done() and loop.time() < until:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=until - loop.time())
    if not task.done():
        say_left(task)


async def _in_thread(function: Callable[[], ResultT], name: str, timeout_s: float) -> Call[ResultT]:
    _left_threads.intersection_update(threading.enumerate())
    if len(_left_threads) >= MAX_LEFT_THREADS:
        return Call(error=YizhanError(f"{MAX_LEFT_THREADS} threads of earlier runs never ended"))
    loop = asyncio.get_running_loop()
    ended: _Ended[ResultT] = loop.create_future()
    context = contextvars.copy_context()
    context.run(_HANDLER.set, name)

    def work() -> None:
        result = context.run(_result, function)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(_set, ended, result)

    thread = threading.Thread(target=work, name=f"run-{name}", daemon=True)
    thread.start()
    try:
        if (result := await _within(ended, timeout_s)) is not None:
            return result
    except asyncio.CancelledError:
        _leave(thread, name)
        raise
    return Call(error=TimeLimitError(timeout_s), place=_leave(thread, name))


def _leave(thread: threading.Thread, name: str) -> str:
    """Log that a thread goes on, and give the place where it is."""
    place = place_of_thread(thread)
    _left_threads.add(thread)
    get_logger("yizhan.handlers").error("thread_left_behind", handler=name, place=place)
    return place


def _result(function: Callable[[], ResultT]) -> Call[ResultT]:
    try:
        return Call(function())
    except BaseException as error:  # noqa: BLE001 - the boundary round a handler
        return Call(error=error)


def _set(ended: _Ended[ResultT], result: Call[ResultT] | None) -> None:
    if not ended.done():
        ended.set_result(result)


def _contained_task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
) -> asyncio.Task[Any]:
    name = _HANDLER.get("")
    if not name:
        return asyncio.Task(coroutine, loop=loop, **options)
    task = asyncio.Task(_Contained(coroutine), loop=loop, **options)
    _handler_of[task] = name
    return task


class _Contained(Coroutine[Any, Any, Any]):
    """A coroutine that raises no `SystemExit` and no `KeyboardInterrupt`.

    No `async def` round it: where a task is cancelled before it begins, that would never await it.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        try:
            return self._coroutine.send(value)
        except (SystemExit, KeyboardInterrupt) as error:
            raise _as_failure(error) from error

    def throw(self, *error: Any) -> Any:
        try:
            return self._coroutine.throw(*error)
        except (SystemExit, KeyboardInterrupt) as error_raised:
            raise _as_failure(error_raised) from error_raised

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


def _as_failure(error: BaseException) -> YizhanError:
    return YizhanError(f"a task of the handler raised {type(error).__name__}")
