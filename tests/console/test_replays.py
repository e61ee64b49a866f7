"""Replays on the console: planned, handed to the workers, looked at, cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest

from receiver.bus.read.filters import Filters
from receiver.composition.replays import replay_operations
from receiver.console.app import create_console
from receiver.event import Event
from receiver.operations.audit_reading import acts
from receiver.settings import Settings
from receiver.settings.console import ConsoleSettings
from receiver.testing import eventually
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderClosed
from tests.console.desk import ROOT_PATH, Page, Visitor
from tests.worker.conftest import Bench

HOSTILE = "<img src=x onerror=alert(1)>"
router = Router()


@router.on(OrderClosed)
async def shut(event: Event[OrderClosed], ctx: Context) -> None:
    if event.order_id == HOSTILE:
        raise ValueError(f"no shelf for {event.order_id}")


@pytest.fixture
async def planner(visitor: Visitor) -> AsyncIterator[Visitor]:
    """The same console where the handler `shut` is loaded."""
    settings = Settings(console=ConsoleSettings(root_path=ROOT_PATH))
    replays = replay_operations(settings, visitor.bus, router.handlers)
    desk = replace(visitor.desk, replays=replays)
    transport = httpx2.ASGITransport(create_console(desk, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield replace(visitor, http=http, desk=desk)


def fields_of(page: Page, act: str) -> dict[str, str]:
    form = next(one for one in page.forms if one.get("act") == act)
    return {name: value for name, value in form.items() if not name.startswith(":")}


async def test_a_replay_is_planned_run_by_the_workers_and_reported(planner: Visitor) -> None:
    bench = Bench(planner.bus.connection, planner.shelf.publisher, planner.desk.subjects)
    orders = ("closed-1", "closed-2", HOSTILE)
    await bench.store(*(OrderClosed(channel="1688", order_id=one) for one in orders))
    page = await planner.get("/replay/plan?type=order.closed&to=handler%3Ashut")
    assert "yizhan replay plan PLAN --to handler:shut --type order.closed" in page.text
    form = page.form(f"{ROOT_PATH}/replay/plan")
    assert (form["type"], form["to:shut"], form["rate"]) == ("order.closed", "1", "50")
    nothing = await planner.post("/replay/plan", name="fix1", **{"to:shut": "1"})
    assert nothing.status_code == 400

    page = await planner.sent(
        "/replay/plan", name="fix1", type="order.closed", **{"to:shut": "1", "rate": "0"}
    )
    assert "3 events are selected" in page.text
    assert "3 would run" in page.text
    assert HOSTILE in page.text
    assert "no worker runs shut now" in page.text
    assert "yizhan replay run fix1" in page.text
    run = fields_of(page, "cancel") | {"act": "run"}
    refused = await planner.post("/replays/fix1", **run)
    assert refused.status_code == 400

    worker = await bench.work(router)
    try:
        await bench.handled(router)
        page = await planner.get("/replays/fix1")
        assert fields_of(page, "run") == run
        changed = await planner.post("/replays/fix1", **run | {"count": "2"})
        assert changed.status_code == 409
        await planner.sent("/replays/fix1", **run)
        await eventually(lambda: _reported(planner), within_s=60)
    finally:
        await worker.stop()
    page = await planner.get("/replays/fix1")
    assert "3, 2 succeeded, 1 failed" in page.text
    assert "no shelf for" in page.text
    assert not [form for form in page.forms if "act" in form]
    assert f"{ROOT_PATH}/replays/fix1" in (await planner.get("/replays")).links
    assert await _verbs(planner, "fix1") == ["replay-plan", "replay"]


async def test_a_replay_is_cancelled_for_good(planner: Visitor) -> None:
    page = await planner.sent("/replay/plan", name="fix2", since="1h", **{"to:shut": "1"})
    cancel = fields_of(page, "cancel")
    page = await planner.sent("/replays/fix2", **cancel)
    assert "It is cancelled" in page.text
    refused = await planner.post("/replays/fix2", **cancel | {"act": "run"})
    assert refused.status_code == 400
    assert await _verbs(planner, "fix2") == ["replay-plan", "replay-cancel"]
    gone = await planner.get("/replays/fix3", 404)
    assert "There is no replay fix3" in gone.text


async def test_without_loaded_handlers_the_command_plans(visitor: Visitor) -> None:
    page = await visitor.get("/replay/plan?since=2h")
    assert "plan by the command below" in page.text
    assert "yizhan replay plan PLAN --to handler:NAME --since 2h" in page.text


async def _reported(planner: Visitor) -> bool:
    view = await planner.json("/replays/fix1.json")
    return view["state"] == "finished" and bool(view["report"][0]["replayed"] == 3)


async def _verbs(planner: Visitor, name: str) -> list[str]:
    done = await acts(planner.bus.connection, planner.desk.subjects, Filters())
    return [one.last.verb for one in done if one.last.filters.get("replay") == name]
