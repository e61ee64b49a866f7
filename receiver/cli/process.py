"""The top of a process: the event loop, the signals, the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, Final, Literal, NoReturn

import uvloop

from receiver.cli.ending import LastResort, wind_up
from receiver.errors import APIError, BusError, ConfigurationError, YizhanError
from receiver.resilience.cancellation import cancel
from receiver.resilience.deadline import Deadline

EXIT_FAILED: Final = 1
EXIT_CONFIGURATION: Final = 2
EXIT_PARTLY: Final = 3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_BY_SIGNAL: Final = 128
_INTERRUPTED: Final = _BY_SIGNAL + signal.SIGINT

_GRACE_S: Final = 10.0


class StoppedError(YizhanError):
    """A signal ended the command in the middle; the sentence says how to go on."""


class Stop(asyncio.Event):
    """Is set when the process is to stop; `deadline` runs from then on, and `last_resort` sees to
    it. `code` is the exit code of a process that a signal ended before it was done: 130 of Ctrl-C.
    """

    def __init__(self, deadline: Deadline, last_resort: LastResort) -> None:
        super().__init__()
        self.deadline = deadline
        self._last_resort = last_resort
        self.is_awaited = False
        self.code = _INTERRUPTED

    async def wait(self) -> Literal[True]:
        """Return once it is set; before anybody waits the process only starts."""
        self.is_awaited = True
        return await super().wait()

    def set(self) -> None:
        """The stop begins."""
        self._last_resort.begin()
        super().set()


Main = Callable[[Stop], Coroutine[Any, Any, int]]


def run(
    main: Main,
    *,
    grace_s: float = _GRACE_S,
    stays: bool = False,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> NoReturn:
    """Run `main(stop)` to its exit code; SIGINT and SIGTERM set `stop`, a second one kills.

    A `ConfigurationError` ends with code 2, any other of our errors with 1; each is one line.

    From the signal, or from the end of `main`, on the process ends within `grace_s` and a second,
    whatever hangs: with code 0 where it `stays` until it is stopped, since what it acknowledged is
    on disk, else with 128 and the signal's number (Ctrl-C: 130), or 1 without one.
    """
    deadline = Deadline(grace_s)
    last_resort = LastResort(deadline, 0 if stays else EXIT_FAILED)
    runner = asyncio.Runner(loop_factory=loop_factory)
    loop = runner.get_loop()
    last_resort.watch(loop)
    stop = Stop(deadline, last_resort)
    _handle_signals(stop, loop, last_resort, stays=stays)
    try:
        last_resort.code = _exit_code(runner, main, stop, stays=stays)
    except BaseException:
        last_resort.code = EXIT_FAILED
        raise
    finally:
        last_resort.begin()
        if not runner.run(wind_up()):
            last_resort.end()
        runner.close()
    sys.exit(last_resort.code)


async def _stoppable(main: Main, stop: Stop, *, stays: bool) -> int:
    """Run `main`; where a stop comes before it waits for one, it is cancelled: in the middle of its
    start, or of what it does and ends by itself.
    """
    running = asyncio.create_task(main(stop), name="main")
    stopping = asyncio.create_task(asyncio.Event.wait(stop), name="stop")
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done() and not stop.is_awaited:
        ended = await cancel(running, patience_s=stop.deadline.step_s())
        if ended and not running.cancelled():
            return running.result()
        if not stays:
            _say("stopped")
        return 0 if stays else stop.code
    await cancel(stopping)
    return await running


def _exit_code(runner: asyncio.Runner, main: Main, stop: Stop, *, stays: bool) -> int:
    try:
        return runner.run(_stoppable(main, stop, stays=stays))
    except StoppedError as error:
        _say(str(error))
        return stop.code
    except ConfigurationError as error:
        _say(str(error))
        return EXIT_CONFIGURATION
    except (BusError, APIError, YizhanError) as error:
        _say(f"{error}{_where(error)}")
        return stop.code if stop.is_set() and not stays else EXIT_FAILED
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _where(error: BaseException | None) -> str:
    """The server, as `Connection.client` notes it with an error, or with what that comes from."""
    while error is not None:
        if notes := getattr(error, "__notes__", ()):
            return f" ({', '.join(notes)})"
        error = error.__cause__
    return ""


def tune_gc() -> None:
    """Collect garbage seldom, and never what lives as long as the process.

    A callback makes hundreds of objects and leaves no cycles behind; walking everything that is
    remembered again and again would take a quarter of its processor time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def fail(error: ConfigurationError) -> NoReturn:
    """End before anything was started."""
    _say(str(error))
    sys.exit(EXIT_CONFIGURATION)


@contextlib.contextmanager
def if_stopped(sentence: str | Callable[[], str]) -> Iterator[None]:
    """End where a signal stops the block, with a sentence on how to go on, which may depend on what
    was done until then.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        raise StoppedError(sentence if isinstance(sentence, str) else sentence()) from error


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """End where the block raises a `ConfigurationError`: its sentence, and code 2."""
    try:
        yield
    except ConfigurationError as error:
        fail(error)


def _handle_signals(
    stop: Stop, loop: asyncio.AbstractEventLoop, last_resort: LastResort, *, stays: bool
) -> None:
    """Not by the event loop's own handlers: they would not run while a handler of events blocks."""
    signalled: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        signalled.append(number)
        if len(signalled) > 1:
            os._exit(_BY_SIGNAL + number)
        stop.code = _BY_SIGNAL + number
        if not stays:
            last_resort.code = stop.code
        last_resort.begin()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the end is near
            loop.call_soon_threadsafe(stop.set)

    for number in _SIGNALS:
        signal.signal(number, on_signal)


def _say(text: str) -> None:
    for line in text.splitlines():
        print(f"yizhan: {line}", file=sys.stderr)  # noqa: T201 - the way a command speaks
