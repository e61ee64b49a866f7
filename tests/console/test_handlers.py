"""Handlers on the console: how they stand, and what an operator does to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from receiver.bus.read.filters import Filters
from receiver.event import Event
from receiver.operations.audit_reading import acts
from receiver.testing import eventually
from receiver.worker.interface import Context, Retry
from receiver.worker.routing import Router
from schemas.events import PaymentSucceeded
from tests.console.desk import ROOT_PATH, Visitor
from tests.worker.conftest import Bench

HOSTILE = '<img src=x onerror=alert(1)>"'


@pytest.fixture(scope="module")
async def stocked(visitor: Visitor) -> AsyncIterator[list[str]]:
    """A handler that has run on three orders; gives the orders that it was given, as they come."""
    router, seen = Router(), list[str]()

    @router.on(PaymentSucceeded, start="all")
    async def stock(event: Event[PaymentSucceeded], ctx: Context) -> None:
        seen.append(event.order_id or "")
        if event.order_id == "late":
            raise Retry(after=timedelta(days=1))
        if event.order_id == HOSTILE:
            raise ValueError("no shelf")

    bench = Bench(visitor.bus.connection, visitor.shelf.publisher, visitor.desk.subjects)
    for order_id in ("good", "late", HOSTILE):
        await visitor.shelf.push(order_id)
    worker = await bench.work(router)
    await bench.handled(router)
    await eventually(lambda: _recorded(visitor), within_s=60)
    yield seen
    await worker.stop()


async def _recorded(visitor: Visitor) -> bool:
    view = await visitor.json("/handlers/stock.json")
    return len(view["runs"]["failures"]) >= 3


async def test_a_handler_shows_its_backlog_what_waits_and_what_failed(
    visitor: Visitor, stocked: list[str]
) -> None:
    page = await visitor.get("/handlers")
    assert f"{ROOT_PATH}/handlers/stock" in page.links
    page, view = await visitor.get("/handlers/stock"), await visitor.json("/handlers/stock.json")
    (waits,) = view["waiting"]["first"]
    assert (waits["order_id"], waits["kind"]) == ("late", "retry")
    failed = view["runs"]["failures"]
    assert {(run["order_id"], run["outcome"]) for run in failed} == {
        (HOSTILE, "retried"),
        (HOSTILE, "dead_lettered"),
    }
    assert view["runs"]["outcomes"]["done"] >= 1
    assert view["report"]["subjects"][0] in page.text
    assert "worker " in view["owner"]
    assert HOSTILE in page.text
    assert "yizhan handlers" in page.text
    gone = await visitor.get("/handlers/nothing", 404)
    assert "There is no handler nothing" in gone.text


async def test_a_handler_is_paused_for_a_reason_rewound_by_a_count_and_resumed(
    visitor: Visitor, stocked: list[str]
) -> None:
    here = "/handlers/stock"
    refused = await visitor.post(here, act="pause", reason=" ")
    assert refused.status_code == 400
    page = await visitor.sent(here, act="pause", reason=HOSTILE)
    assert "stock is paused" in page.text
    assert f"paused: {HOSTILE}" in page.text

    plan = await visitor.get(f"{here}/rewind?to=%231")
    form = next(one for one in plan.forms if one[":method"] == "post")
    fields = {name: value for name, value in form.items() if not name.startswith(":")}
    assert f"{fields['count']} events that are done run again" in plan.text
    changed = await visitor.post(f"{here}/rewind", **fields | {"count": "0"})
    assert changed.status_code == 409
    before = len(stocked)
    await visitor.sent(f"{here}/rewind", **fields)
    assert stocked[before:] == []
    page = await visitor.sent(here, act="resume")
    assert "stock goes on." in page.text
    await eventually(lambda: "good" in stocked[before:], within_s=60)

    ahead = await visitor.get(f"{here}/rewind?to=%23999999")
    assert "has not come that far" in ahead.text
    done = await acts(visitor.bus.connection, visitor.desk.subjects, Filters())
    assert [one.last.verb for one in done if one.last.target == "stock"] == [
        "handlers-pause",
        "handlers-rewind",
        "handlers-resume",
    ]
