"""The programs of the client's guide run as they stand, against the simulated platform."""

from __future__ import annotations

import asyncio
import re
import runpy
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from receiver.cli.api.fields import fields_of
from receiver.cli.api.rows import ROWS
from receiver.simulator.catalogue import BAG_SHOP
from receiver.simulator.orders import Order
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import Account
from tests.pages import ROOT
from tests.simulator.conftest import receiving
from yizhan.client import PlatformAPI

PAGE = (ROOT / "docs" / "api-client.md").read_text(encoding="utf-8")
PROGRAMS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CALLS: list[str] = re.findall(r"^yizhan api (?:call|record \S+) ([^#\n]+)", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
async def lived() -> AsyncIterator[SimulatedPlatform]:
    """A platform on which some orders have lived, shipped ones among them."""
    account = Account("caller", "hidden")
    async with (
        receiving() as pushed_to,
        SimulatedPlatform(pushed_to.config(api_account=account)) as running,
    ):
        await running.run(orders=10)
        yield running


@pytest.fixture
def order(
    lived: SimulatedPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Order]:
    """A shipped order of 1688; the account is in the environment, the directory a new one."""
    structlog.reset_defaults()  # as in the process of a script, where nobody has set up logs
    for prefix, base in (("PLATFORM_", "URL"), ("YIZHAN_API__", "BASE_URL")):
        monkeypatch.setenv(prefix + base, lived.api_url)
        names = ("KEY", "SECRET") if prefix == "PLATFORM_" else ("ACCESS_KEY", "SECRET")
        for name, value in zip(names, ("caller", "hidden"), strict=True):
            monkeypatch.setenv(prefix + name, value)
    monkeypatch.setenv("YIZHAN_API__RATE_PER_S", "1000")
    monkeypatch.chdir(tmp_path)
    orders = lived.book.orders.values()
    yield next(order for order in orders if order.channel == "1688" and order.parcel)
    structlog.reset_defaults()


async def run(holding: str, *arguments: str) -> int:
    """Run the program that holds a text; its exit code."""
    (program,) = [text for text in PROGRAMS if holding in text]
    Path("program.py").write_text(program, encoding="utf-8")  # noqa: ASYNC240 - a test alone
    before, sys.argv = sys.argv, ["program.py", *arguments]
    try:
        await asyncio.to_thread(runpy.run_path, "program.py", run_name="__main__")
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.argv = before
    return 0


async def test_a_script_prints_an_order_and_its_parcels(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    assert order.parcel is not None
    await run("PlatformAPI.open(\n        base_url", order.order_id)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{order.order_id} completed {order.total_fen / 100:.2f} CNY"
    assert second == f"{order.parcel.waybill_no} {len(order.parcel.steps)}"


async def test_several_orders_are_asked_for_at_once(
    order: Order, lived: SimulatedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = [each.order_id for each in lived.book.orders.values() if each.channel == "1688"]
    await run("TaskGroup", *orders)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == orders
    assert all(line.split(" ")[1] != "None" for line in lines)


async def test_a_list_is_read_by_the_page_and_to_a_limit(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    await run("search.all(limit=12)", BAG_SHOP)
    first, *offers = capsys.readouterr().out.splitlines()
    assert first == "5 323 65"
    assert len(set(offers)) == 12
    assert all(re.fullmatch(r"\S+ \d+\.\d\d CNY", line) for line in offers)


async def test_an_order_is_previewed_and_made(
    order: Order, lived: SimulatedPlatform, capsys: pytest.CaptureFixture[str]
) -> None:
    async with PlatformAPI.from_file() as api:
        found = await api.alibaba.products.search_store(keyword="包", seller_open_id=BAG_SHOP)
        offer_id = found.items[0].offer_map_id
        assert offer_id is not None
        spec_id = (await api.alibaba.products.detail(offer_id)).product_sku_infos[0].spec_id
    assert spec_id is not None
    await run("orders.create(", offer_id, spec_id)
    order_id, refused = capsys.readouterr().out.splitlines()
    assert order_id in lived.book.orders
    assert refused == "0 refused"


async def test_a_failure_is_told_by_its_kind(
    order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("APIRejectedError as error", order.order_id) == 0
    assert await run("APIRejectedError as error", "1") == 1
    assert await run("APIRejectedError as error", "") == 1
    refused, not_sent = capsys.readouterr().out.splitlines()
    assert refused.startswith("refused: ")
    assert not_sent.startswith("not sent: alibaba_orders_detail: order_id: ")


async def test_a_recording_is_made_and_replayed(order: Order) -> None:
    await run("with recording(", order.order_id)
    assert await run("ReplayTransport(", order.order_id) == 0


def test_every_program_of_the_page_is_run_here() -> None:
    assert len(PROGRAMS) == 7


def test_the_calls_of_the_page_have_these_options() -> None:
    for shown in CALLS:
        row, *words = shlex.split(shown)
        known = {field.option for field in fields_of(ROWS[row])}
        known |= {"--all", "--limit", "--dry-run"}
        assert {word for word in words if word.startswith("--")} <= known
    assert len(CALLS) == 5
