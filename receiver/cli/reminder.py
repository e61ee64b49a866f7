"""The greeting again, once it has scrolled away: on Enter, and after a quiet minute."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

from receiver.observability.logs import last_line_at
from receiver.resilience import supervision

_QUIET_S: Final = 60.0
_AGAIN_S: Final = 1.0
_CHUNK_BYTES: Final = 4096

Show = Callable[[], None]


@contextlib.asynccontextmanager
async def reminding(show: Show) -> AsyncIterator[None]:
    """Call `show` on Enter, and after a quiet minute.

    Only where a terminal reads what we print; keys are read only from a terminal.
    """
    if not sys.stdout.isatty():
        yield
        return
    async with supervision.running(partial(watch_quiet, show), name="reminder"):
        if not sys.stdin.isatty():
            yield
            return
        keys = _Keys(sys.stdin.fileno(), show)
        keys.watch()
        try:
            yield
        finally:
            keys.stop()


async def watch_quiet(show: Show, quiet_s: float = _QUIET_S, *, poll_s: float = _AGAIN_S) -> None:
    """Call `show` whenever this process has logged something and then nothing for `quiet_s`."""
    shown_at = time.monotonic()
    while True:
        await asyncio.sleep(poll_s)
        if shown_at < last_line_at() <= time.monotonic() - quiet_s:
            show()
            shown_at = time.monotonic()


class _Keys:
    """Calls `show` for each line that is typed at the terminal `descriptor`."""

    def __init__(self, descriptor: int, show: Show) -> None:
        self._descriptor = descriptor
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin, or go on."""
        self._loop.add_reader(self._descriptor, self._typed)

    def stop(self) -> None:
        """Leave the terminal alone."""
        self._loop.remove_reader(self._descriptor)
        if self._later is not None:
            self._later.cancel()

    def _typed(self) -> None:
        try:
            # In the background a read would stop the whole process: the keys are for another one.
            ours = os.tcgetpgrp(self._descriptor) == os.getpgrp()
            if not ours:
                self._loop.remove_reader(self._descriptor)
                self._later = self._loop.call_later(_AGAIN_S, self.watch)
            elif os.read(self._descriptor, _CHUNK_BYTES):
                self._show()
            else:  # Ctrl-D
                self._loop.remove_reader(self._descriptor)
        except OSError:  # the terminal is gone
            self._loop.remove_reader(self._descriptor)
