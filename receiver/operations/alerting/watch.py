"""Evaluates the alerts every few seconds, and posts what begins and what ends.

Of several processes that watch one posts; a notice is kept until it is posted, so that a restart
loses none. While NATS is away the one that posted last goes on by what it remembers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from receiver.bus.connection import Sleep
from receiver.bus.metrics_stream import ReportConflictError
from receiver.errors import BusError
from receiver.observability.alerts.evaluation import Change, evaluate, new_history
from receiver.observability.figures import Figures
from receiver.observability.logs import get_logger
from receiver.operations.alerting.notice import BY_NAME, Notice, labels_of, notice_of
from receiver.operations.alerting.record import AlertRecord, Known
from receiver.operations.alerting.webhook import WebhookError, WillNotTakeError

EVERY_S: Final = 15.0
_POSTING_S: Final = 20.0
"""For longer nothing more is begun to be posted in a look: an owner that does not write for a
minute is taken for gone.
"""
Collect = Callable[[], Awaitable[Figures]]
Explain = Callable[[str], Awaitable[str]]
"""Says in a paragraph what is known of a source; may raise `BusError` and `TimeoutError`."""


class Webhook(Protocol):
    """Where notices go."""

    async def post(self, notice: Notice) -> None:
        """Raises `WebhookError`, and `WillNotTakeError` where there is no use in trying again."""


class AlertWatch:
    """Watches what `collect` gives; `runbook` is where the runbook is read. An alert of a source is
    posted with what `explain` says of it.
    """

    def __init__(
        self,
        collect: Collect,
        record: AlertRecord,
        webhook: Webhook,
        explain: Explain,
        *,
        runbook: str,
        now: Callable[[], datetime],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._collect = collect
        self._record = record
        self._webhook = webhook
        self._explain = explain
        self._runbook = runbook
        self._now = now
        self._sleep = sleep
        self._history = new_history()
        self._known = Known()
        self._seq = 0
        self._is_owner = False
        self._is_ahead = False
        """Whether we know what could not be kept."""
        self._log = get_logger("yizhan.alerts")

    async def run(self) -> None:
        """Watch, until it is cancelled."""
        while True:
            await self.look()
            await self._sleep(EVERY_S)

    async def look(self) -> None:
        """Look once, and post what is to be posted."""
        figures = await self._collect()
        now = self._now()
        self._history.add(now, figures)
        if not await self._is_ours(now):
            return
        holdings, changes = evaluate(self._history, self._known.holdings, now)
        notices = [await self._notice(change, now) for change in changes]
        self._known = Known(holdings, [*self._known.unsent, *notices])
        if not await self._keep():
            return
        for change in changes:
            self._say(change)
        if self._known.unsent:
            await self._post()
            await self._keep()

    async def _notice(self, change: Change, now: datetime) -> Notice:
        source, explained = labels_of(change).get("source"), None
        if source and not change.ended:
            with contextlib.suppress(BusError, TimeoutError):  # the alert says enough
                explained = await self._explain(source)
        return notice_of(change, now, self._runbook, explained)

    async def _is_ours(self, now: datetime) -> bool:
        """Whether this process is to post; what others kept is known then."""
        try:
            found = await self._record.get(now)
        except BusError:
            return self._is_owner
        self._seq = found.seq
        if found.is_foreign or not self._is_ahead:  # who took over while we were cut off is right
            self._known, self._is_owner, self._is_ahead = found.known, not found.is_owned, False
        return self._is_owner

    async def _keep(self) -> bool:
        """Whether we are the owner still; what cannot be kept now is kept later."""
        try:
            self._seq = await self._record.put(self._known, self._seq)
        except ReportConflictError:
            self._is_owner = self._is_ahead = False
        except BusError:
            self._is_ahead = True
        else:
            self._is_ahead = False
        return self._is_owner

    async def _post(self) -> None:
        """What was not posted yet, in order, up to the first that may be taken later."""
        unsent, clock = list(self._known.unsent), asyncio.get_running_loop().time
        until = clock() + _POSTING_S
        while unsent and clock() < until:
            try:
                await self._webhook.post(unsent[0])
            except WebhookError as error:
                dropped = isinstance(error, WillNotTakeError)
                self._log.warning(
                    "alert_not_posted", alert=unsent[0].alert, error=str(error), dropped=dropped
                )
                if not dropped:
                    break
            del unsent[0]
        self._known = Known(self._known.holdings, unsent)

    def _say(self, change: Change) -> None:
        labels, alert = labels_of(change), BY_NAME[change.case.alert]
        if change.ended:
            self._log.info("alert_resolved", alert=alert.name, **labels)
        else:
            self._log.warning("alert_fired", alert=alert.name, severity=alert.severity, **labels)
