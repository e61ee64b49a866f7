"""The commands of docs/operating.md, on a receiver with a handler that was broken and is fixed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import httpx2

from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
SITUATIONS = {
    title: re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
TOKEN = "t" * 16
SETTINGS = f"""
[handlers]
load = ["my_handlers:router"]
[[sources]]
name = "shop"
dialect = "xport"
verification = "path_token"
path_token = "{TOKEN}"
"""
BROKEN = """
from yizhan import Context, Event, Router
from yizhan.events import OrderCreated

router = Router()


@router.on(OrderCreated, start="all")
async def ship_it(event: Event[OrderCreated], ctx: Context) -> None:
    if event.order_id == "3100":
        raise KeyError("carrier")
"""
FIXED = BROKEN.replace('raise KeyError("carrier")', "pass")


async def started(yizhan: Yizhan) -> tuple[Running, str]:
    running = await yizhan.start("up", YIZHAN_HANDLERS__MAX_ATTEMPTS="1")
    greeting = await running.line(lambda line: "/healthz" in line)
    return running, re.findall(r"(http\S+)/healthz", greeting)[0]


async def walked(yizhan: Yizhan, title: str) -> list[str]:
    """What the commands of a situation print; each ends with 0, unless the page says otherwise."""
    (block,) = SITUATIONS[title]
    printed = []
    for command in block.splitlines():
        name, *arguments = shlex.split(command, comments=True)
        assert name == "yizhan"
        ended = await yizhan.run(*arguments)
        expected = 3 if "# exits 3" in command else 0
        assert ended.code == expected, (command, ended.out, ended.err)
        printed.append(ended.out + ended.err)
    return printed


async def test_each_situation_is_solved_by_its_commands(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text(SETTINGS)
    module = yizhan.directory / "my_handlers.py"
    module.write_text(BROKEN)
    running, base = await started(yizhan)
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        for order in ("3099", "3100"):
            body = {
                "messageType": "ORDER_CREATE",
                "messageBody": {"orderId": order, "totalAmount": 100},
            }
            answer = await http.post(f"/callbacks/shop/{TOKEN}", json=body)
            assert answer.status_code == 200, answer.text

    async def letters() -> bool:
        return "KeyError" in (await yizhan.run("dead", "list")).out

    await eventually(letters, within_s=60)
    assert await running.stop() == 0
    module.write_text(FIXED)
    running, _ = await started(yizhan)

    before, compared, _, _ = await walked(yizhan, "A handler's bug is fixed")
    assert "KeyError" in before
    assert "differs" in compared

    async def mended() -> bool:
        return "KeyError" not in (await yizhan.run("dead", "list")).out

    await eventually(mended, within_s=60)
    verdict, *_ = await walked(yizhan, "The platform was out for six hours")
    assert "shop" in verdict
    planned, *_ = await walked(yizhan, "Amounts were parsed wrongly")
    assert "2" in planned
    await walked(yizhan, "There is a new subscriber")
    lines = (yizhan.directory / "orders.jsonl").read_text().splitlines()
    assert len(lines) == 2
    await walked(yizhan, "Yizhan moves to a cluster")
    assert (yizhan.directory / "move.jsonl.zst").stat().st_size > 0
    await walked(yizhan, "The disk fills")
    _, stored, _ = await walked(yizhan, "A secret leaked")
    assert '"3100"' in stored
    life, *_ = await walked(yizhan, "An angry customer")
    assert "order.created" in life
    assert "ship_it" in life
    assert await running.stop() == 0
