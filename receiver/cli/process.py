"""The top of a process: the event loop, the signals, the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NoReturn

import uvloop

from receiver.errors import APIError, BusError, ConfigurationError, YizhanError

EXIT_FAILED: Final = 1
EXIT_CONFIGURATION: Final = 2
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

Main = Callable[[asyncio.Event], Awaitable[int]]


def run(main: Main) -> NoReturn:
    """Run `main(stop)` to its exit code; SIGINT and SIGTERM set `stop`, a second one kills.

    A `ConfigurationError` ends with code 2, any other of our errors with 1; each is one line.
    """
    try:
        code = uvloop.run(_with_signals(main))
    except ConfigurationError as error:
        _say(str(error))
        code = EXIT_CONFIGURATION
    except (BusError, APIError, YizhanError) as error:
        _say(str(error))
        code = EXIT_FAILED
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    sys.exit(code)


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
def refusing() -> Iterator[None]:
    """End where the block raises a `ConfigurationError`: its sentence, and code 2."""
    try:
        yield
    except ConfigurationError as error:
        fail(error)


async def _with_signals(main: Main) -> int:
    stop = asyncio.Event()
    with _handling_signals(stop):
        return await main(stop)


@contextlib.contextmanager
def _handling_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _say(text: str) -> None:
    for line in text.splitlines():
        print(f"yizhan: {line}", file=sys.stderr)  # noqa: T201 - the way a command speaks
