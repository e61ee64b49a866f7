"""The deadline of a callback: the log within the budget, else the spool, else a `BusError`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from receiver.bus.codec import OutgoingMessage
from receiver.bus.group_commit import GroupCommitPublisher, TooSlowError
from receiver.bus.publisher import GuardTakenError, Stored, UnsendableError
from receiver.errors import BusError, SpoolError
from receiver.logs import get_logger
from receiver.recent import Recent
from receiver.spool import Spool
from receiver.spool_file import Bundle

_RETRY_S: Final = 1.0
"""How often one callback tries a log that was too slow; the others go to the spool at once."""
_NEWS_S: Final = 30.0
"""For how long a log that was too slow is said to be: no callback may come to find it well."""
_LIMIT_KEPT: Final = 100_000
"""Guards of spooled callbacks that are remembered."""


class SpoolingPublisher:
    """A `Publisher` that keeps in `spool` what the log does not acknowledge in time.

    What was spooled counts as stored: `Drainer` publishes it later under the same ids. A publish
    that was still under way when the budget ended makes that later one a duplicate.
    """

    def __init__(
        self,
        publisher: GroupCommitPublisher,
        spool: Spool,
        *,
        ack_budget_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._spool = spool
        self._ack_budget_s = ack_budget_s
        self._clock = clock
        self._too_slow = False
        self._next_try = 0.0
        self._kept = Recent[bytes](_LIMIT_KEPT)
        self._log = get_logger("yizhan.spool")

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`. A forgery is no outage, and what can never be sent would stay in
        the spool for ever: `GuardTakenError` and `UnsendableError` are raised as ever.
        """
        self._check_kept(guard)
        if self._too_slow and not self._may_try():
            known = self._publisher.known(messages, guard)
            return known or await self._keep(messages, guard, BusError("the log is too slow"))
        try:
            stored = await self._publisher.publish(
                messages, guard=guard, within_s=self._ack_budget_s
            )
        except (GuardTakenError, UnsendableError):
            raise
        except TooSlowError as error:
            self._avoid()
            return await self._keep(messages, guard, error)
        except BusError as error:
            return await self._keep(messages, guard, error)
        self.recovered()
        return stored

    def check(self) -> None:
        """Raise `BusError` where the log acknowledged nothing in time when it was last tried."""
        if self._too_slow and self._clock() < self._next_try + _NEWS_S:
            raise BusError("the log answers, and acknowledges nothing in time")

    def recovered(self) -> None:
        """The log took something: callbacks go there again."""
        if self._too_slow:
            self._too_slow = False
            self._log.info("log_in_time_again")

    def _avoid(self) -> None:
        """Let the log alone: queueing more for it would cost each callback its whole budget."""
        self._next_try = self._clock() + _RETRY_S
        if not self._too_slow:
            self._too_slow = True
            self._log.warning("log_too_slow", budget_ms=round(self._ack_budget_s * 1000))

    def _may_try(self) -> bool:
        now = self._clock()
        if now < self._next_try:
            return False
        self._next_try = now + _RETRY_S
        return True

    async def _keep(
        self, messages: Sequence[OutgoingMessage], guard: OutgoingMessage | None, why: BusError
    ) -> Sequence[Stored]:
        try:
            new = await self._spool.put(Bundle(messages, guard))
        except SpoolError as error:
            raise BusError(f"{why}, and {error}") from error
        if guard is not None:
            self._kept.put(guard.msg_id, guard.body)
        return [Stored(0, duplicate=not new, spooled=True) for _ in messages]

    def _check_kept(self, guard: OutgoingMessage | None) -> None:
        """A guard in the spool is taken, though the log, which may be back, does not know it."""
        owner = None if guard is None else self._kept.get(guard.msg_id)
        if guard is not None and owner is not None and owner != guard.body:
            raise GuardTakenError(owner.decode())
