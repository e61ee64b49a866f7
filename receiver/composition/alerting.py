"""The alerting of the settings: by a webhook, where one is set."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

import httpx2

from receiver.composition.bus import Bus
from receiver.composition.certificate import certificate_expiry
from receiver.operations.alerting.record import AlertRecord
from receiver.operations.alerting.watch import AlertWatch, Collect
from receiver.operations.alerting.webhook import AlertWebhook
from receiver.operations.look.archive import Archive
from receiver.operations.look.silence.explanation import explain
from receiver.operations.look.silence.facts import last_callbacks, source_facts
from receiver.resilience import supervision
from receiver.settings import Settings

_EXPLAINING_S: Final = 5.0
"""A first look at a long history takes longer, and the alert does not wait for it."""


@contextlib.asynccontextmanager
async def alerting(settings: Settings, bus: Bus, collect: Collect) -> AsyncIterator[None]:
    """Watch what `collect` gives, where `alerts.url` is set."""
    chosen = settings.alerts
    if chosen.url is None:
        yield
        return
    archive = Archive(bus.connection, bus.subjects)

    async def explained(source: str) -> str:
        now = datetime.now(UTC)
        async with asyncio.timeout(_EXPLAINING_S):
            stored = await last_callbacks(archive)
            last = {source: stored[source]} if source in stored else {}
            facts = await source_facts(
                archive, [source], now, last=last, certificate=certificate_expiry(settings)
            )
        return explain(facts[source], now)

    async with httpx2.AsyncClient(follow_redirects=False) as http:
        watch = AlertWatch(
            collect,
            AlertRecord(bus.connection, bus.subjects),
            AlertWebhook(http, chosen.url, chosen.key),
            explained,
            runbook=chosen.runbook,
            now=lambda: datetime.now(UTC),
        )
        async with supervision.running(watch.run, name="alerts"):
            yield
