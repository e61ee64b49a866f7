"""What the README shows works as it is written there."""

from __future__ import annotations

import asyncio
import re
import sys
from decimal import Decimal
from pathlib import Path

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
from receiver.testing import make_event, run_handler
from receiver.worker.loading import load_handlers
from schemas.events import Amounts, OrderClosed, PaymentSucceeded
from schemas.values import Money

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
LINKS: set[str] = set(re.findall(r"\]\((?!http)([^)]+)\)", README))
SECTIONS: dict[str, type[BaseModel]] = {
    "nats": NatsSettings,
    "receiver": ReceiverSettings,
    "sources[]": SourceSettings,
    "api": APISettings,
    "handlers": HandlersSettings,
    "handlers.NAME": HandlerSettings,
    "log": LogSettings,
}


def block(holding: str) -> str:
    return next(text for text in BLOCKS if holding in text)


async def test_the_handler_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_handlers.py").write_text(block("Router()"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ship_it, forget_it = load_handlers(["my_handlers:router"])
    amounts = Amounts(total=Money(amount=Decimal("12.00")))
    paid = make_event(PaymentSucceeded(channel="1688", order_id="1", amounts=amounts))
    assert (await run_handler(ship_it, paid)).outcome == "done"
    early = make_event(PaymentSucceeded(channel="1688", order_id="1"))
    assert (await run_handler(ship_it, early)).outcome == "postponed"
    closed = make_event(OrderClosed(channel="1688", order_id="1"))
    assert (await run_handler(forget_it, closed)).outcome == "done"
    sys.modules.pop("my_handlers")


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
    assert len(SECTIONS) == len(Settings.model_fields) + 1
    assert told == known


@pytest.mark.parametrize("link", sorted(LINKS))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link.partition("#")[0]).exists()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in set(re.findall(r"`?make ([a-z]+)", README)) - {"prints"}:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
