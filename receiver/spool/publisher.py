"""The deadline of a callback: the log within the budget, else the spool, else a `BusError`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.bus.message import OutgoingMessage, encoded_bytes
from receiver.bus.publish.contract import (
    Bundle,
    NonceClaimedError,
    OnResult,
    Result,
    Stored,
    TooSlowError,
    UnsendableError,
)
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.errors import BusError, SpoolError
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import cancel_all
from receiver.resilience.circuit_breaker import CircuitBreaker
from receiver.spool.queue import Spool

_PROBE_EVERY_S: Final = 1.0
"""How often one callback tries a log that was too slow; the others go to the spool at once."""
_VERDICT_TTL_S: Final = 30.0
"""How long /readyz repeats the last failure when no traffic probes the log."""
_STOP_S: Final = 5.0
_CUT_S: Final = 0.1
_MAX_KEPT: Final = 100_000
"""Guards of spooled callbacks that are remembered."""


class SpoolFallbackPublisher:
    """A `Submitter` that keeps in `spool` what the log does not acknowledge in time.

    What was spooled counts as stored: `Drainer` publishes it later under the same ids. A publish
    that was still under way when the budget ended makes that later one a duplicate. `stop` it
    before the spool is closed. `max_payload_bytes` is what the server takes, 0 where that is not
    known.
    """

    def __init__(
        self,
        publisher: GroupCommitPublisher,
        spool: Spool,
        *,
        ack_budget_s: float,
        max_payload_bytes: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._spool = spool
        self._ack_budget_s = ack_budget_s
        self._max_payload_bytes = max_payload_bytes
        self._breaker = CircuitBreaker(probe_every_s=_PROBE_EVERY_S, clock=clock)
        self._kept = BoundedCache[bytes](_MAX_KEPT)
        self._keeping: set[asyncio.Task[None]] = set()
        self._learning: asyncio.Task[None] | None = None
        self._log = get_logger("yizhan.spool")

    def submit(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
    ) -> None:
        """See `Submitter.submit`. A forgery is no outage, and what can never be sent would stay in
        the spool for ever: `NonceClaimedError` and `UnsendableError` are results as ever.
        """

        def on_publish_result(result: Result) -> None:
            if not isinstance(result, BusError):
                self.recovered()
                on_result(result)
            elif isinstance(result, NonceClaimedError | UnsendableError):
                on_result(result)
            else:
                if isinstance(result, TooSlowError):
                    self._trip()
                self._keep_soon(Bundle(messages, claim), result, on_result)

        try:
            self._check_kept(claim)
            # What is known without the log is no proof that the log is well again.
            known = self._publisher.known(messages, claim) if self._breaker.is_open else None
            if known is not None:
                on_result(known)
            elif self._breaker.allows():
                self._publisher.submit(messages, claim, on_publish_result, self._ack_budget_s)
            else:
                self._keep_soon(Bundle(messages, claim), BusError("the log is too slow"), on_result)
        except NonceClaimedError as error:
            on_result(error)

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        """See `Submitter.used_by`."""
        return self._kept.get(claim.msg_id) or self._publisher.used_by(claim)

    async def learn(self) -> None:
        """Remember the signatures that the spool holds, of an earlier run or of another process.

        The log does not know them before the spool is drained. Call it before the first callback;
        afterwards it happens by itself whenever the log is back.
        """
        try:
            for guard_id, owner in (await self._spool.claims()).items():
                self._kept.put(guard_id, owner)
        except SpoolError as error:
            self._log.warning("spooled_signatures_not_read", reason=str(error))

    def learn_soon(self) -> None:
        """The connection to the log was lost and is back: others may have spooled meanwhile."""
        if self._learning is None:
            self._learning = asyncio.create_task(self._learn_again(), name="spool-learn")

    async def stop(self, *, within_s: float = _STOP_S) -> None:
        """Finish what is under way, and keep what comes of it; what takes longer is cancelled, and
        not answered.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        await self._publisher.stop(within_s=within_s)
        unfinished = self._keeping | ({self._learning} if self._learning is not None else set())
        if unfinished:
            await asyncio.wait(unfinished, timeout=max(0.0, until - loop.time()))
            await cancel_all(unfinished, patience_s=_CUT_S)

    def check(self) -> None:
        """Raise `BusError` where the log acknowledged nothing in time when it was last tried."""
        if self._breaker.tripped_within(_VERDICT_TTL_S):
            raise BusError("the log answers, and acknowledges nothing in time")

    def recovered(self) -> None:
        """The log took something: callbacks go there again, once it is known which signatures the
        spool holds.
        """
        if self._breaker.is_open:
            self.learn_soon()

    async def _learn_again(self) -> None:
        try:
            await self.learn()
        finally:
            self._learning = None
        if self._breaker.reset():
            self._log.info("log_in_time_again")

    def _trip(self) -> None:
        """Let the log alone: queueing more for it would cost each callback its whole budget."""
        if self._breaker.trip():
            self._log.warning("log_too_slow", budget_ms=round(self._ack_budget_s * 1000))

    def _keep_soon(self, bundle: Bundle, why: BusError, on_result: OnResult) -> None:
        """What the server is known to refuse for its size would stay in the spool for ever."""
        limit_bytes = self._max_payload_bytes()
        if limit_bytes and any(encoded_bytes(m) > limit_bytes for m in bundle.messages):
            on_result(UnsendableError())
            return
        task = asyncio.create_task(self._keep(bundle, why, on_result), name="spool-keep")
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, bundle: Bundle, why: BusError, on_result: OnResult) -> None:
        try:
            new = await self._spool.put(bundle)
        except NonceClaimedError as error:
            on_result(error)
        except SpoolError as error:
            on_result(BusError(f"{why}, and {error}"))
        else:
            if bundle.claim is not None:
                self._kept.put(bundle.claim.msg_id, bundle.claim.body)
            on_result([Stored(0, duplicate=not new, spooled=True) for _ in bundle.messages])

    def _check_kept(self, claim: OutgoingMessage | None) -> None:
        """A claim in the spool is taken, though the log, which may be back, does not know it."""
        owner = None if claim is None else self._kept.get(claim.msg_id)
        if claim is not None and owner is not None and owner != claim.body:
            raise NonceClaimedError(owner.decode())
