"""What callbacks say today, beside the events that were stored of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.dialects.dialect import Dialect
from receiver.operations.repair.comparing import Compared, Comparing
from receiver.operations.repair.reparse import Today
from tests.operations.repair.test_quarantine import (
    LATER,
    STATUS,
    STRANGE,
    Desk,
    body,
    source,
)


@pytest.fixture
def desk(connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects) -> Desk:
    return Desk(connection, publisher, subjects)


async def compared(desk: Desk, dialects: Mapping[str, Dialect], *, dry: bool) -> Compared:
    shop = source("global")
    today = Today({shop.name: shop}, dialects, 1024 * 1024)
    reading = Comparing(desk.quarantine.archive, today, desk.reparsing(shop, dialects=dialects))
    found = Compared()
    raws = await desk.stored(desk.subjects.raw("shop"))
    await reading.read(raws, found, dry=dry)
    return found


async def test_facts_are_the_same_new_or_gone_and_only_what_is_new_is_stored(desk: Desk) -> None:
    await desk.push(source("global"), body(STATUS))
    await desk.push(source("global"), body(STRANGE))
    unchanged = await compared(desk, DIALECTS, dry=True)
    foreseen = await compared(desk, LATER, dry=True)
    events_before = len(await desk.events())
    done = await compared(desk, LATER, dry=False)
    again = await compared(desk, LATER, dry=False)

    assert (unchanged.facts, unchanged.findings.new) == ({"same": 2, "gone": 0}, {})
    assert foreseen.facts["same"] == done.facts["same"] == 1
    assert foreseen.facts["gone"] == 1  # what was unknown.received says something else now
    assert foreseen.findings.new == done.findings.new == {"order.status_changed": 1}
    assert events_before == 2
    assert len(await desk.events()) == 3
    assert again.findings.new == {}
