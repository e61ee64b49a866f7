"""A warning before the stream drops what a paused handler has not run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from receiver.operations.expiry import warn_of_expiry
from receiver.operations.handlers import HandlerOperations
from tests.operations.test_handlers import KEPT, REASON, created, noting
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]


async def lines(
    operations: HandlerOperations,
    *,
    at: datetime,
    looks: int = 1,
    owns: Callable[[str], bool] = lambda _: True,
) -> list[MutableMapping[str, Any]]:
    """What is logged in so many looks, a day apart but for an hour."""
    left, now = [None] * looks, at

    async def sleep(_: float) -> None:
        nonlocal now
        now += timedelta(hours=23)
        left.pop()
        if not left:
            raise asyncio.CancelledError

    with capture_logs() as logged, pytest.raises(asyncio.CancelledError):
        await warn_of_expiry(operations, owns=owns, now=lambda: now, sleep=sleep)
    return [line for line in logged if line["event"] == "events_expire_while_paused"]


async def test_the_last_tenth_of_an_events_time_is_warned_of_once_a_day(bench: Bench) -> None:
    router = noting([])
    operations = HandlerOperations(bench.connection, bench.subjects, router.handlers, kept=KEPT)
    await (await bench.work(router)).stop()
    await bench.store(*created("1"))
    stored = datetime.now(UTC)
    before = await lines(operations, at=stored + KEPT * 0.95)
    await operations.pause("note", reason=REASON, by="root@desk", now=stored)
    early = await lines(operations, at=stored + KEPT * 0.8)
    late = await lines(operations, at=stored + KEPT * 0.95, looks=3)
    elsewhere = await lines(operations, at=stored + KEPT * 0.95, owns=lambda _: False)
    assert (before, early, elsewhere) == ([], [], [])
    assert [(line["handler"], line["stream_seq"]) for line in late] == [("note", 1)] * 2
    assert late[0]["action"] == "yizhan handlers resume note, or raise nats.max_age_days"
