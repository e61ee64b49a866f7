"""What accounts of each dialect get pushed, and that a receiver takes it as signed."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from receiver.cli.simulation import platform_config
from receiver.composition.bus import opened_bus
from receiver.composition.receiver import running_receiver
from receiver.operations.audit import count_stored
from receiver.settings import Settings
from receiver.simulator.life import CHANNELS, Course, live
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook, Wanted
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import DialectName
from receiver.testing import eventually
from receiver.web.server import base_url, bind
from tests.pages import ROOT
from tests.simulator.conftest import ACCOUNT, Receiver

ORDERS = 40
"""So many show each kind of message."""


def message_types(dialect: DialectName) -> set[str]:
    """The types of all messages in many lives."""
    book = OrderBook(1)
    return {
        notice.message_type
        for number in range(ORDERS)
        for notice in live(
            book, Course.numbered(number, dialect), TaobaoNames(), random.Random(number)
        )
    }


def listed(section: str, pattern: str) -> set[str]:
    """The types that a table of the page lists."""
    page = (ROOT / "docs" / "platform" / "messages.md").read_text(encoding="utf-8")
    return set(re.findall(pattern, page.partition(f"## {section}")[2].partition("\n## ")[0]))


def test_every_topic_of_the_page_is_pushed() -> None:
    assert message_types("aop") == listed("1688 topics", r"(?m)^\| `(\w+)`")


def test_the_gateways_messages_about_orders_are_pushed() -> None:
    about_orders = listed("Taobao Global messages", r"(?m)^\| (\d+) (?:status|price|refund)")
    assert message_types("global") == about_orders == {"3", "8", "9"}


@pytest.mark.parametrize(
    ("dialect", "kinds"),
    [
        ("xport", {"order.created", "aftersales.refund_updated", "logistics.progressed"}),
        ("aop", {"payment.stage_succeeded", "payment.batch_settled", "logistics.waybill_changed"}),
        ("global", {"order.status_changed", "order.price_changed", "aftersales.refund_updated"}),
    ],
)
async def test_a_receiver_takes_and_reads_every_push(
    tmp_path: Path, dialect: DialectName, kinds: set[str]
) -> None:
    source = {
        "name": "account",
        "dialect": dialect,
        "verification": "signature",
        "access_key": "key",
        "secrets": ["0123456789abcdef"],
        "simulated": True,
    }
    settings = Settings.model_validate(
        {"nats": {"data_dir": tmp_path, "port": 0}, "receiver": {"port": 0}, "sources": [source]}
    )
    with bind("127.0.0.1", 0) as listener:
        config = platform_config(settings, base_url(listener), speed=18_000.0)
        async with (
            opened_bus(settings, name="test") as bus,
            running_receiver(settings, bus, listener),
            SimulatedPlatform(config) as platform,
        ):
            counts = await platform.run(orders=20)
            acknowledged = set(counts.acknowledged_ids)

            async def stored() -> bool:  # what a slow machine spooled comes later
                found = await count_stored(bus.connection, bus.subjects)
                return acknowledged <= set(found.callbacks)

            await eventually(stored, within_s=100)
            found = await count_stored(bus.connection, bus.subjects)
    assert counts.given_up == 0
    assert set(counts.refused) <= {503}  # of a slow machine; what comes unsigned gets 401
    assert acknowledged == set(found.callbacks)
    assert kinds <= set(found.event_types)
    assert "unknown.received" not in found.event_types


@pytest.mark.parametrize(
    ("dialect", "kinds"),
    [
        ("aop", ["ORDER_BUYER_VIEW_BUYER_MAKE", "ORDER_BUYER_VIEW_ORDER_PAY"]),
        ("global", ["3"]),
    ],
)
async def test_what_calls_did_is_pushed_in_the_messages_of_the_account(
    receiver: Receiver, dialect: DialectName, kinds: list[str]
) -> None:
    pushed: list[str] = []
    ended = asyncio.Event()

    def note(kind: str, _acknowledged: bool) -> None:
        pushed.append(kind)
        if len(pushed) == len(kinds):
            ended.set()

    account = replace(ACCOUNT, dialect=dialect)
    config = replace(receiver.config(sellers_act=False), account=account)
    async with SimulatedPlatform(config, on_push=note) as platform:
        for channel in CHANNELS["xport"]:
            product = platform.world.catalogue.of(channel)[0]
            order = platform.world.buy(channel, [Wanted(product, product.skus[0], 1)], None)
            platform.world.pay([order])
        await ended.wait()
    assert pushed == kinds
