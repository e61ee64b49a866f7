"""From the spool into the log, oldest first, once the log is back."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from receiver.bus.callback_codec import quarantined
from receiver.bus.headers import encode_header
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import (
    TOO_LARGE,
    Bundle,
    NonceClaimedError,
    Publisher,
    UnsendableError,
)
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, SpoolError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.backoff import Backoff
from receiver.resilience.cancellation import PATIENCE_S
from receiver.spool.queue import Spool
from receiver.spool.row import SpooledBundle

MAX_ROUND: Final = 64
"""Bundles in one round: about what one atomic batch holds."""
_IDLE_S: Final = 5.0
"""How often to look for what another process left behind."""
_BACKOFF: Final = Backoff((0.25, 0.5, 1.0, 2.0))
_MAX_REST_S: Final = 1.0
DEDUP_TRUST_S: Final = 15 * 60.0
"""How long a bundle may wait for us to rely on the stream's duplicate window: half of what the
window is longer than the time in which a callback comes again."""

_MAX_REFUSED: Final = 3
"""Rounds of which the log takes nothing, before we call it unable rather than the rows unfit."""

Sleep = Callable[[float], Awaitable[Any]]


class AnotherDrainsError(BusError):
    """Another process is draining this spool: there is nothing to do."""


class StoredIds(Protocol):
    """Looks into the stream itself, which remembers longer than its duplicate window."""

    async def __call__(self, bundle_ids: frozenset[str], since: float) -> frozenset[str]:
        """The ids of all messages of these bundles, stored since then; raises `BusError`."""


class Drainer:
    """Publishes what the spool keeps, under the same ids, and removes what was acknowledged.

    Live callbacks go first: after each round it rests for as long as the round took. One process
    at a time drains a file; a process that dies gives that up. `publisher` is not shared with the
    live callbacks, so that a duplicate spoils no batch of theirs. `probe` raises `BusError` while
    the log is away; `on_stored` is called whenever the log took a round, be it of another process.
    """

    def __init__(
        self,
        spool: Spool,
        publisher: Publisher,
        subjects: Subjects,
        *,
        probe: Callable[[], Awaitable[None]],
        stored_ids: StoredIds,
        window: timedelta,
        on_stored: Callable[[], None] = lambda: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._spool = spool
        self._publisher = publisher
        self._subjects = subjects
        self._probe = probe
        self._on_stored = on_stored
        self._sleep = sleep
        self._memory = StreamLookup(spool, stored_ids, window)
        self._log = get_logger("yizhan.spool")
        self._task: asyncio.Task[None] | None = None
        self._waiting = False

    def start(self) -> None:
        """Begin to drain, now and whenever there is something."""
        self._task = supervision.start(self._drain_forever, name="spool-drain")

    async def stop(self, *, within_s: float = PATIENCE_S) -> None:
        """End; what is left waits for the next start."""
        await supervision.stop(self._task, patience_s=within_s)

    async def drain(self) -> int:
        """One pass over the whole spool; gives how many bundles the log took.

        What the log refuses is left and logged. Raises `BusError` where the log is away or takes
        nothing, `AnotherDrainsError` while another process drains this file.
        """
        with _held(self._spool.path) as held:
            if not held:
                raise AnotherDrainsError("another process is draining this spool")
            return await self._pass()

    async def _drain_forever(self) -> None:
        failures = 0
        while True:
            try:
                await self._drain_if_any()
                failures = 0
            except BusError as error:
                if failures == 0 and not isinstance(error, AnotherDrainsError):
                    self._log.warning("spool_not_drained", reason=str(error))
                failures += 1
                await self._sleep(_BACKOFF.pause_s(failures))
            else:
                await self._wait_for_news()

    async def _drain_if_any(self) -> None:
        self._spool.news.clear()
        if not await self._spool.read(limit=1):
            if self._waiting:  # another process drained it: the log takes what it is given
                self._on_stored()
            self._waiting = False
            return
        self._waiting = True
        taken = await self.drain()
        if not taken:
            raise BusError("the log takes nothing of what the spool holds")
        state = await self._spool.state()
        self._log.info("spool_drained", count=taken, left=state.depth)

    async def _wait_for_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_IDLE_S):
                await self._spool.news.wait()

    async def _pass(self) -> int:
        row = taken = refused = 0
        while rows := await self._spool.read(after=row, limit=MAX_ROUND):
            await self._probe()  # a log that is frozen is not given a row that it may keep waiting
            started = time.monotonic()
            stored = await self._round(rows)
            await self._spool.remove(stored)
            taken += len(stored)
            refused = 0 if stored else refused + 1
            if stored:
                self._on_stored()
            elif refused == _MAX_REFUSED:
                raise BusError("the log refuses what the spool holds")
            else:
                await self._probe()  # the log is there, so these rows may be what it does not take
            row = rows[-1].row
            await self._sleep(min(time.monotonic() - started, _MAX_REST_S))
        return taken

    async def _round(self, rows: Sequence[SpooledBundle]) -> list[int]:
        """Publish each; the rows that the log has now."""
        known = await self._memory.stored_of(rows)
        results = await asyncio.gather(
            *(self._publish(spooled, known) for spooled in rows), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, BusError):
                raise result
        done = [
            spooled.row
            for spooled, result in zip(rows, results, strict=True)
            if not isinstance(result, BaseException)
        ]
        self._write_lines(rows, results, each=bool(done))
        return done

    def _write_lines(
        self, rows: Sequence[SpooledBundle], results: Sequence[int | BaseException], *, each: bool
    ) -> None:
        """Without `each`, the log is at fault that nothing was taken: one line for all says so,
        and only what can never be sent has a line of its own.
        """
        for spooled, result in zip(rows, results, strict=True):
            log = self._log.bind(callback_id=spooled.bundle.id, source=spooled.bundle.source)
            if isinstance(result, BaseException):
                if each or isinstance(result, UnsendableError):
                    log.warning("spooled_callback_not_stored", error=str(result))
            else:
                log.info("spooled_callback_stored", stream_seq=result)

    async def _publish(self, spooled: SpooledBundle, known: frozenset[str]) -> int:
        """Store what the stream does not hold yet; gives where the first is, or 0."""
        bundle = spooled.bundle
        messages = [message for message in bundle.messages if message.msg_id not in known]
        if not messages:
            return 0
        try:
            stored = await self._publisher.publish(messages, claim=bundle.claim)
        except NonceClaimedError as taken:
            # It was answered 200 before this could be known, so it is kept; handlers see the mark.
            self._log.warning(
                "spooled_replay_stored", callback_id=bundle.id, replay_of=taken.claimed_by
            )
            stored = await self._publisher.publish([_marked(m, taken.claimed_by) for m in messages])
        except UnsendableError:
            stored = await self._publisher.publish([self._unsendable(bundle)], claim=bundle.claim)
        return stored[0].stream_seq

    def _unsendable(self, bundle: Bundle) -> OutgoingMessage:
        """What is kept of a callback of which a message is larger than the server takes."""
        return quarantined(bundle.messages[0], TOO_LARGE, self._subjects)


class StreamLookup:
    """Which messages of old bundles the stream holds: its duplicate window has forgotten them.

    What was spooled may have been stored: by a publish that was under way, or as the callback came
    first, up to a window before. For bundles that waited long the stream is read, as seldom as
    nothing is missed by it.
    """

    def __init__(self, spool: Spool, stored_ids: StoredIds, window: timedelta) -> None:
        self._spool = spool
        self._stored_ids = stored_ids
        self._window_s = window.total_seconds()
        self._known: frozenset[str] = frozenset()
        self._read_at = 0.0

    async def stored_of(self, rows: Sequence[SpooledBundle]) -> frozenset[str]:
        """Ids that the stream is known to hold; raises `BusError`."""
        now = time.time()
        waited = [row.spooled_at for row in rows if now - row.spooled_at > DEDUP_TRUST_S]
        if not waited:
            return frozenset()
        if now - self._read_at > self._window_s / 2 or max(waited) > self._read_at:
            ids = await self._spool.ids()
            first = await self._spool.read(limit=1)
            oldest = min(row.spooled_at for row in (*first, *rows))
            self._known = await self._stored_ids(ids, oldest - self._window_s)
            self._read_at = now
        return self._known


def _marked(message: OutgoingMessage, owner: str) -> OutgoingMessage:
    """As `encode_callback` marks an event whose signature another callback used."""
    if "ce-id" not in message.headers:
        return message
    headers = {**message.headers, "ce-replayof": encode_header(owner)}
    return OutgoingMessage.of(message.subject, headers, message.body)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether this process may drain; the kernel gives the lock back however we end."""
    try:
        file = os.open(path.with_name(f"{path.name}.drain"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SpoolError(f"the spool {path} cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(file)
