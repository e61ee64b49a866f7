"""The spool: callbacks that were promised while the log was away, in one SQLite file.

A row is what one publish would have stored: its messages and its claim, byte for byte. A row is on
disk (`synchronous=FULL`) before `put` returns. Every call of SQLite runs in one thread of the
spool's own, so that the event loop never waits for a disk; what is put while one transaction is
under way goes into the next. Several processes of one machine may share the file.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from receiver.bus.publish.contract import Bundle, NonceClaimedError
from receiver.errors import SpoolError
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import within
from receiver.spool.database import BUSY_TIMEOUT_S
from receiver.spool.file import SpoolFile, SpoolState
from receiver.spool.row import SpooledBundle, row_bytes

MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
"""What may wait in memory for a transaction; beyond that a put is refused at once."""
MAX_READ_BYTES: Final = 8 * 1024 * 1024
_READ_S: Final = 5.0
_CLOSE_S: Final = 5.0

ResultT = TypeVar("ResultT")


@dataclass(slots=True)
class _Waiting:
    bundle: Bundle
    done: asyncio.Future[bool]


class Spool:
    """Keeps bundles in the file at `path` until they are removed; `close` it after use.

    Nothing is opened before it is needed: a disk that fails now may be repaired later, without a
    restart. `limit_bytes` bounds what the rows take; `put_timeout_s` how long a put may wait,
    `busy_timeout_s` how long another process may hold the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_bytes: int,
        put_timeout_s: float = 0.3,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.news = asyncio.Event()
        """Set whenever a bundle was put by this process."""
        self._put_timeout_s = put_timeout_s
        self._file = SpoolFile(
            path, limit_bytes=limit_bytes, busy_timeout_s=busy_timeout_s, clock=clock
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def put(self, bundle: Bundle) -> bool:
        """Keep a bundle; returns once it is on disk: True, or False where its id was there before.

        Raises `SpoolError` where it cannot be kept in time (it may then be kept all the same), and
        `NonceClaimedError` where another bundle in the spool holds the claim.
        """
        if self._waiting_bytes > MAX_WAITING_BYTES:
            raise SpoolError("too many callbacks are waiting for the spool")
        waiting = _Waiting(bundle, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += row_bytes(bundle)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="spool-write")
        try:
            async with asyncio.timeout(self._put_timeout_s):
                return await waiting.done
        except TimeoutError as error:
            raise SpoolError(f"the disk of {self.path} is too slow") from error

    async def read(self, *, after: int = 0, limit: int = 64) -> Sequence[SpooledBundle]:
        """The next bundles behind row `after`, oldest first; raises `SpoolError`."""
        return await self._call(
            lambda: self._file.read(after=after, limit=limit, limit_bytes=MAX_READ_BYTES)
        )

    async def remove(self, rows: Sequence[int]) -> None:
        """Forget the rows: the log has them; raises `SpoolError`."""
        if rows:
            await self._call(lambda: self._file.remove(rows))

    async def ids(self) -> frozenset[str]:
        """The ids of all bundles; raises `SpoolError`."""
        return await self._call(self._file.ids)

    async def claims(self) -> dict[str, bytes]:
        """The used signatures of all bundles, each with its callback; raises `SpoolError`."""
        return await self._call(self._file.claims)

    async def state(self) -> SpoolState:
        """How much is kept and since when; raises `SpoolError`."""
        return await self._call(self._file.state)

    async def probe(self) -> SpoolState:
        """The state, after a write that reached the disk; raises `SpoolError` where it cannot."""
        return await self._call(self._file.probe)

    async def close(self, *, within_s: float = _CLOSE_S) -> None:
        """Finish what is under way and close the file; it stays for the next start.

        A disk that takes longer is left alone: what was answered is on it already.
        """
        try:
            if not await within(within_s, self._close(), name="spool-close"):
                get_logger("yizhan.spool").error("spool_not_closed", spool=str(self.path))
        finally:
            self._closed = True
            self._thread.shutdown(wait=False)

    async def _close(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing})
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)

    async def _write(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                self._settle(taken, await self._write_all(taken))
        finally:
            self._writing = None

    async def _write_all(self, taken: Sequence[_Waiting]) -> Sequence[bool | Exception]:
        bundles = [waiting.bundle for waiting in taken]
        try:
            return await self._in_thread(lambda: self._file.write(bundles))
        except SpoolError as error:
            return [error] * len(taken)

    def _settle(self, taken: Sequence[_Waiting], results: Sequence[bool | Exception]) -> None:
        self.news.set()
        for waiting, result in zip(taken, results, strict=True):
            self._waiting_bytes -= row_bytes(waiting.bundle)
            if waiting.done.done():  # its caller gave up
                continue
            if isinstance(result, bool):
                waiting.done.set_result(result)
            else:
                waiting.done.set_exception(_own(result))

    async def _call(self, act: Callable[[], ResultT]) -> ResultT:
        try:
            async with asyncio.timeout(_READ_S):
                return await self._in_thread(act)
        except TimeoutError as error:
            raise SpoolError(f"the disk of {self.path} is too slow") from error

    async def _in_thread(self, act: Callable[[], ResultT]) -> ResultT:
        if self._closed:
            raise SpoolError(f"the spool {self.path} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act)
        except (sqlite3.Error, OSError) as error:
            raise SpoolError(f"the spool {self.path} fails: {error}: repair the disk") from error


def _own(error: Exception) -> Exception:
    """One exception for each caller: a traceback is not to grow with every one that raises it."""
    if isinstance(error, NonceClaimedError):
        return NonceClaimedError(error.claimed_by)
    return SpoolError(str(error))
