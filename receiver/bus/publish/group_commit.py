"""Group commit: what arrives while one commit is under way goes out together in the next.

One atomic batch costs one sync however many messages it holds, where plain publishes cost one
each; but without replicas a small batch costs more than a few plain publishes, since it is staged
in files. So a lone callback goes out at once as plain publishes there, and batches form by
themselves under load. With replicas a batch is staged in memory and cheap at any size.

Neither a task nor a lock is needed: a commit begins when something arrives or the commit before it
ends, and every answer of the server is dealt with as it is read.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.commit import Commit, PendingBundle
from receiver.bus.publish.contract import (
    NonceClaimedError,
    OnResult,
    Result,
    Stored,
    TooSlowError,
    awaited,
)
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.errors import BusError
from receiver.observability.logs import get_logger

MIN_BATCH: Final = 10
"""Messages from which on one batch is cheaper than plain publishes: about 2.2 ms against 0.25 ms
each, measured under `sync_interval: always` with batches staged on disk."""
MIN_STAGED_BATCH: Final = 3
"""The same with batches staged in memory: 0.8 ms. A lone callback has three, its claim included."""
MAX_COMMITS: Final = 2
"""Commits under way at once, where batches are staged in memory: the server syncs one while the
next is on its way."""
SECOND_COMMIT: Final = 8
"""Publishes that have to wait before a commit begins beside another."""
SMALL_COMMIT: Final = 64
"""Messages of a commit that another may begin beside: under more load larger ones cost less."""
MAX_BATCH: Final = 512
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
MAX_PENDING: Final = 4096
"""Messages that may wait; beyond that a publish is refused at once rather than late."""
MAX_PENDING_BYTES: Final = 64 * 1024 * 1024
MAX_REMEMBERED: Final = 100_000
"""Ids whose fate this process knows without asking the server."""
_STOP_S: Final = 5.0
_SWEEP_S: Final = 0.02
"""How exact deadlines are: one timer for all costs less than one for each."""


class GroupCommitPublisher:
    """A `Publisher` and `Submitter` for many callers at once; `stop` it after use.

    A commit that is not acknowledged after `timeout_s` is given up; `remember` ids are known
    without asking the server. `staged` is asked whether the server stages batches in memory. A
    publish is refused while `max_pending` messages or `max_pending_bytes` wait.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float = 0.8,
        remember: int = MAX_REMEMBERED,
        staged: Callable[[], bool] = lambda: False,
        max_pending: int = MAX_PENDING,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._plain = JetStreamPublisher(connection, timeout_s=timeout_s)
        self._loop = asyncio.get_running_loop()
        self._pending: deque[PendingBundle] = deque()
        self._pending_messages = 0
        self._pending_bytes = 0
        self._unsettled: deque[PendingBundle] = deque()
        self._staged = staged
        self._max_pending = max_pending
        self._max_pending_bytes = max_pending_bytes
        self._commits: dict[Commit, float] = {}
        self._beginning = False
        self._sweeping = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._batches = True
        self._remembered = BoundedCache[int](remember)
        self._claims = BoundedCache[bytes](remember)
        self._log = get_logger("yizhan.bus")
        connection.on_reconnect(self._forget)

    async def stop(self, *, within_s: float = _STOP_S) -> None:
        """Commit what is under way and pending, then end; what takes longer is not acknowledged."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        return await awaited(self, messages, claim)

    def submit(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
        within_s: float | None = None,
    ) -> None:
        """See `Submitter.submit`; the result is a `TooSlowError` after `within_s`, by default what
        was given at the start.
        """
        try:
            known = self._recalled(messages, claim)
            if known is None:
                self._add(messages, claim, on_result, within_s or self._timeout_s)
            elif claim is not None and self._claims.get(claim.msg_id) is None:
                self._add((), claim, _then(known, on_result), within_s or self._timeout_s)
            else:
                on_result(known)
        except BusError as error:
            on_result(error)

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        """See `Submitter.used_by`."""
        return self._claims.get(claim.msg_id)

    def known(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None
    ) -> Sequence[Stored] | None:
        """The answer this process knows already; raises `NonceClaimedError` where it does.

        None, too, where the messages are stored and the claim may not be.
        """
        known = self._recalled(messages, claim)
        if claim is not None and self._claims.get(claim.msg_id) is None:
            return None
        return known

    def _recalled(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None
    ) -> Sequence[Stored] | None:
        if claim is not None:
            owner = self._claims.get(claim.msg_id)
            if owner is not None and owner != claim.body:
                raise NonceClaimedError(owner.decode())
        found: list[Stored] = []
        for message in messages:
            stream_seq = self._remembered.get(message.msg_id)
            if stream_seq is None:
                return None
            found.append(Stored(stream_seq, duplicate=True))
        return found

    def _forget(self) -> None:
        """After a reconnect the server may be another, with less in it; but whose a signature is
        does not depend on it.
        """
        self._remembered.clear()
        self._batches = True

    def _add(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
        within_s: float,
    ) -> None:
        if (
            self._pending_messages >= self._max_pending
            or self._pending_bytes >= self._max_pending_bytes
        ):
            raise BusError("too many callbacks are waiting for the log")
        self._connection.client  # noqa: B018 - raises at once while NATS is away
        bundle = PendingBundle(messages, claim, on_result, self._loop.time() + within_s)
        self._pending.append(bundle)
        self._unsettled.append(bundle)
        self._pending_messages += bundle.size
        self._pending_bytes += bundle.size_bytes
        self._idle.clear()
        if not self._commits:
            self._begin_soon()
        elif self._may_begin():
            self._begin()
        self._sweep_soon()

    def _begin_soon(self) -> None:
        """In this turn of the event loop, once all that came in it is here."""
        if not self._beginning:
            self._beginning = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._beginning = False
        if not self._may_begin():
            return
        bundles, messages = self._take()
        if not bundles:
            if not self._commits:
                self._go_on()
            return
        commit = Commit(self._connection, self._plain, bundles, self._settle, self._ended)
        self._commits[commit] = self._loop.time() + self._timeout_s
        commit.begin(batch=self._batches and messages >= self._min_batch())

    def _may_begin(self) -> bool:
        """Whether a commit may begin: the first by itself, another beside it where many wait."""
        if not self._commits:
            return True
        if len(self._pending) < SECOND_COMMIT or len(self._commits) >= MAX_COMMITS:
            return False
        small = all(commit.size <= SMALL_COMMIT for commit in self._commits)
        return small and (self._connection.replicated or self._staged())

    def _min_batch(self) -> int:
        if self._connection.replicated:
            return 2
        return MIN_STAGED_BATCH if self._staged() else MIN_BATCH

    def _take(self) -> tuple[list[PendingBundle], int]:
        """The next bundles, as many as one batch may hold but at least one, and the number of their
        messages. What was given up while it waited is left out.
        """
        taken: list[PendingBundle] = []
        messages = size_bytes = 0
        while self._pending:
            bundle = self._pending[0]
            if self._is_claiming(bundle):
                return taken, messages
            if bundle.on_result is not None:
                messages += bundle.size
                size_bytes += bundle.size_bytes
                if taken and (messages > MAX_BATCH or size_bytes > MAX_BATCH_BYTES):
                    return taken, messages - bundle.size
                taken.append(bundle)
            self._pending.popleft()
            self._pending_messages -= bundle.size
            self._pending_bytes -= bundle.size_bytes
        return taken, messages

    def _is_claiming(self, bundle: PendingBundle) -> bool:
        """Whether the claim of a bundle is under way in a commit: the first to come has to win."""
        claim = bundle.claim
        return claim is not None and any(claim.msg_id in c.claims for c in self._commits)

    def _ended(self, commit: Commit) -> None:
        """A commit is over, whatever came of it."""
        self._batches = self._batches and commit.can_batch
        del self._commits[commit]
        self._go_on()

    def _go_on(self) -> None:
        if self._pending:
            self._begin_soon()
        elif not self._commits:
            self._idle.set()

    def _sweep(self) -> None:
        """Give up what is late. The oldest is not always the first to be: budgets differ."""
        now = self._loop.time()
        self._unsettled = deque(
            bundle for bundle in self._unsettled if bundle.on_result is not None
        )
        for bundle in [bundle for bundle in self._unsettled if bundle.deadline < now]:
            self._settle(bundle, TooSlowError("no acknowledgement in time"))
        for commit in [commit for commit, deadline in self._commits.items() if deadline < now]:
            commit.abandon()
        self._sweeping = False
        if self._unsettled or not self._idle.is_set():
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP_S, self._sweep)

    def _settle(self, bundle: PendingBundle, result: Result) -> None:
        """Remember what is stored; a bundle has one result, the first."""
        if not isinstance(result, BusError):
            for message, where in zip(bundle.messages, result, strict=True):
                self._remembered.put(message.msg_id, where.stream_seq)
            if bundle.claim is not None:
                self._claims.put(bundle.claim.msg_id, bundle.claim.body)
        on_result, bundle.on_result = bundle.on_result, None
        if on_result is None:
            return
        try:
            on_result(result)
        except Exception as error:  # noqa: BLE001 - or no later commit would ever be made
            self._log.error("commit_failed", error=type(error).__name__, exc_info=True)


def _then(known: Sequence[Stored], on_result: OnResult) -> OnResult:
    """The result `known`, once a claim alone is stored."""
    return lambda result: on_result(result if isinstance(result, BusError) else known)
