"""What the README shows works as it is written there."""

from __future__ import annotations

import asyncio
import importlib
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

from receiver.bus.codec import encode_event
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.settings import (
    APISettings,
    HandlerSettings,
    HandlersSettings,
    LogSettings,
    NatsSettings,
    ReceiverSettings,
    Settings,
    SourceSettings,
)
from receiver.settings.alerts import AlertsSettings
from receiver.settings.console import ConsoleSettings, ConsoleUser
from receiver.settings.metrics import MetricsSettings
from receiver.settings.openid import ConsoleGrant, OpenIDSettings
from receiver.settings.tracing import TracingSettings
from receiver.testing import Kit, make_event
from receiver.testing.real import RealKit
from receiver.worker.loading import load_handlers
from schemas.events import Amounts, OrderClosed, PaymentSucceeded
from schemas.values import Money
from tests.every import every

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LINKS: set[str] = set(re.findall(r"\]\((?!http)([^)]+)\)", README))
PAID = make_event(
    PaymentSucceeded(
        channel="1688", order_id="1", amounts=Amounts(total=Money(amount=Decimal("12.00")))
    )
)
SECTIONS: dict[str, type[BaseModel]] = {
    "nats": NatsSettings,
    "receiver": ReceiverSettings,
    "sources[]": SourceSettings,
    "api": APISettings,
    "handlers": HandlersSettings,
    "handlers.NAME": HandlerSettings,
    "log": LogSettings,
    "metrics": MetricsSettings,
    "alerts": AlertsSettings,
    "tracing": TracingSettings,
    "console": ConsoleSettings,
    "console.users[]": ConsoleUser,
    "console.oidc": OpenIDSettings,
    "console.oidc.grants[]": ConsoleGrant,
}


def block(holding: str) -> str:
    return next(text for text in BLOCKS if holding in text)


@pytest.fixture
def my_handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that the README shows."""
    (tmp_path / "my_handlers.py").write_text(block("Router()"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("my_handlers")
    sys.modules.pop("my_handlers")


@pytest.mark.parametrize("kind", [Kit, RealKit])
async def test_a_payment_that_is_told_again_ships_once(
    my_handlers: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: type[Kit]
) -> None:
    shipped: list[str] = []

    async def ship(order_id: str) -> str:
        shipped.append(order_id)
        return f"P{len(shipped)}"

    monkeypatch.setattr(my_handlers, "ship", ship)
    async with kind(my_handlers.ship_it) as kit:
        runs = [await kit.run(PAID), await kit.retransmit(PAID), await kit.replay(PAID)]
    assert [run.outcome for run in runs] == ["done"] * 3
    assert [run.logs[-1]["parcel"] for run in runs] == ["P1"] * 3
    assert shipped == ["1"]


async def test_the_handlers_run_as_they_stand(my_handlers: ModuleType) -> None:
    ship_it, forget_it = load_handlers(["my_handlers:router"])
    paid = await Kit(ship_it).run(PAID)
    early = await Kit(ship_it).run(make_event(PaymentSucceeded(channel="1688", order_id="1")))
    closed = await Kit(forget_it).run(make_event(OrderClosed(channel="1688", order_id="1")))
    assert [run.outcome for run in (paid, early, closed)] == ["done", "postponed", "done"]
    assert [effect.result for effect in paid.effects] == ["parcel of 1"]


async def test_the_subscriber_prints_events(
    tmp_path: Path, nats_url: str, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    code = block("nats.connect").replace("nats://127.0.0.1:4222", nats_url)
    file = tmp_path / "subscriber.py"
    file.write_text(code.replace("yizhan.events", f"{subjects.root}.events"), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(file), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.readline())
    async with asyncio.timeout(60):
        number = 0
        while not reading.done():  # a plain subscriber hears only what comes after it
            number += 1
            event = make_event(PaymentSucceeded(channel="1688", order_id=str(number)))
            await publisher.publish([encode_event(event, subjects)])
            await asyncio.wait({reading}, timeout=0.05)
    assert (await reading).startswith(b"yizhan.payment.succeeded.v1 {")
    process.terminate()
    await process.stdout.read()
    await process.wait()


def test_every_setting_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", README, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([\w.\[\]]+)`", row)}
    known = {f"{name}.{key}" for name, model in SECTIONS.items() for key in model.model_fields}
    assert len(SECTIONS) == len(Settings.model_fields) + 4
    assert told == known


@every(sorted(LINKS))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link.partition("#")[0]).exists()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in set(re.findall(r"`?make ([a-z]+)", README)) - {"prints"}:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
