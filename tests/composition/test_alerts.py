"""Faults of real processes: the metrics that they leave raise the right alerts, and no others.

Pages are read in real time, and given to the evaluation as if each stood for minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from receiver.composition.bus import Bus, opened_bus
from receiver.composition.console import console_desk
from receiver.composition.metrics import collector_on
from receiver.console.screens.now import view
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.observability.alerts.evaluation import Case
from receiver.observability.figures import Figures
from receiver.operations.alerting.standing import StandingAlerts
from receiver.settings import NatsSettings, Settings, load_settings
from receiver.testing import eventually
from tests.cli.conftest import Yizhan, yizhan
from tests.cli.test_changed_consumer import base_of, callback, push
from tests.console.test_now import counted

__all__ = ["yizhan"]

SETTINGS = f"""\
[[sources]]
name = "s"
dialect = "xport"
verification = "path_token"
path_token = "{"t" * 16}"
[api]
base_url = "http://127.0.0.1:9"
access_key = "key"
secret = "a secret of a test"
user_id = "1"
tries = 1
breaker_failures = 1
[handlers]
load = ["my:router"]
"""
HANDLERS = """\
import asyncio

from yizhan import Context, Event, RetryPolicy, Router
from yizhan.events import PaymentSucceeded

router = Router()


@router.on(PaymentSucceeded, start="all", retry=RetryPolicy(max_attempts=6, delays_s=(0.05,)))
async def ship(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id.startswith("9"):
        raise ValueError("no such shelf")


@router.on(PaymentSucceeded, start="all")
async def hang(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id.startswith("7"):
        await asyncio.Event().wait()


@router.on(PaymentSucceeded, start="all", retry=RetryPolicy(delays_s=(3600,)))
async def ask(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id.startswith("8"):
        await ctx.api.alibaba.orders.detail(event.order_id)
"""
AGES = "yizhan_handler_oldest_unprocessed_seconds"
BEFORE, FAULT = range(0, 15, 5), range(15, 36, 2)
"""The minutes at which is looked."""
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_S = 0.5


@dataclass(frozen=True)
class Moment:
    """What can be read at one time: the page of metrics, and the status."""

    figures: Figures
    status: Mapping[str, Any]


def named(before: Moment, after: Moment) -> set[Case]:
    """What fires within minutes of a fault, after a while of what was before. The page Now names
    each of it, and says that all is well where nothing is wrong.
    """
    standing, fired = StandingAlerts(), set[Case]()
    for minute in (*BEFORE, *FAULT):
        at, moment = START + timedelta(minutes=minute), before if minute in BEFORE else after
        figures = later(moment.figures, minute - FAULT.start)
        found = standing.look(figures, at)
        if minute in BEFORE:
            continue
        now = view(moment.status, counted(figures, found), at)
        firing = [one for one in found if one.fires]
        assert all(one.summary.rstrip(".") in now.verdict for one in firing), now.verdict
        assert not firing or now.headline.startswith(firing[0].summary.rstrip("."))
        if before is after:
            assert (now.well, now.headline) == (True, "All is well"), now.verdict
        fired |= {Case(one.alert, tuple(one.labels.values())) for one in firing}
    return fired


def later(figures: Figures, minutes: int) -> Figures:
    """The same, where nothing goes on but time."""
    found = Figures()
    found.add(figures)
    for key, value in figures.gauges.items():
        if key[0] == AGES and value > 0:
            found.gauges[key] = value + 60 * max(0, minutes)
    return found


def handled(figures: Figures, *handlers: str) -> bool:
    """Whether they have run, and nothing waits for them: what waits grows old in `later`."""
    return all(
        figures.counters.get(("yizhan_handler_runs", name, "done"), 0) >= 1
        and figures.gauges.get((AGES, name)) == 0
        for name in handlers
    )


def case(alert: str, *labels: str) -> Case:
    return Case(f"Yizhan{alert}", labels)


@dataclass
class Place:
    """Processes on a NATS server of their own."""

    yizhan: Yizhan
    server: EmbeddedServer
    settings: Settings
    bus: Bus
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def read(self, holds: Callable[[Figures], bool] = lambda _: True) -> Moment:
        """What there is to read once the page is as it has to be: processes report every few
        seconds.
        """
        collector = collector_on(self.settings, self.bus, now=self.now)
        figures = (await collector.collect()).figures
        async with asyncio.timeout(100):
            while not holds(figures):
                await asyncio.sleep(EVERY_S)
                figures = (await collector.collect()).figures
        return Moment(figures, await console_desk(self.settings, self.bus, ()).status())


@pytest.fixture
async def place(yizhan: Yizhan, tmp_path: Path) -> AsyncIterator[Place]:
    (tmp_path / "my.py").write_text(HANDLERS)
    file = tmp_path / "yizhan.toml"
    file.write_text(SETTINGS)
    file.chmod(0o600)
    server = EmbeddedServer(
        EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0, sync_always=False)
    )
    async with contextlib.AsyncExitStack() as stack:
        await server.start()
        stack.push_async_callback(server.stop)
        settings = load_settings(file).model_copy(update={"nats": NatsSettings(url=server.url)})
        bus = await stack.enter_async_context(opened_bus(settings, name="test", share=False))
        yield Place(yizhan, server, settings, bus)
        await yizhan.kill_all()


async def test_faults_of_processes_raise_their_alerts_and_no_others(place: Place) -> None:
    environ = {"YIZHAN_NATS__URL": place.server.url}
    receive, work = [await place.yizhan.start(name, **environ) for name in ("receive", "work")]
    base = await base_of(receive)
    await work.line(lambda line: '"working"' in line)
    owned = [("yizhan_handler_owned", name) for name in ("ask", "hang", "ship")]
    await push(base, "11", "12", "13")
    well = await place.read(
        lambda page: (
            handled(page, "ask", "hang", "ship")
            and all(page.gauges.get(one, 0) >= 1 for one in owned)
        )
    )

    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        for _ in range(3):
            await http.post(f"/callbacks/s/{'x' * 16}", content=callback("14"))
        await http.post(f"/callbacks/s/{'t' * 16}", content=b'{"no": "message"}')
    await push(base, "91", "71")
    broken = await place.read(
        lambda page: (
            page.counters["yizhan_handler_runs", "ship", "dead_lettered"] >= 1
            and page.counters["yizhan_callbacks", "s", "unauthorized"] >= 3
            and page.gauges["yizhan_handler_running", "hang"] >= 1
            and handled(page, "ask", "ship")
        )
    )
    await push(base, "81")
    away = await place.read(lambda page: page.gauges.get(("yizhan_api_breaker_open",), 0) >= 1)
    for running in (receive, work):
        running.process.kill()
    place.ahead = timedelta(seconds=20)
    killed = await place.read()
    os.kill(place.server.pid, signal.SIGKILL)
    await eventually(lambda: not place.bus.connection.ready, within_s=60)
    without = await place.read()
    at_once = await console_desk(place.settings, place.bus, ()).counted()

    assert named(well, well) == set()
    wedged = case("HandlerWedged", "hang")
    assert named(well, broken) == {
        case("SecretRefused", "s"),
        case("CallbacksUnreadable", "s"),
        case("HandlerFailing", "ship"),
        case("DeadLetters", "ship"),
        wedged,
    }
    assert named(broken, away) == {case("ApiDown"), wedged}
    assert named(away, killed) == {case("NoReceiver"), case("HandlerNotOwned", "hang")}
    assert named(well, without) == {case("NatsAway")}
    assert [one["alert"] for one in at_once["alerts"]] == ["YizhanNatsAway"]
