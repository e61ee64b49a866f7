"""`yizhan state` as an operator types it, beside no worker."""

from __future__ import annotations

import json

from tests.cli.test_handlers import Desk, desk

__all__ = ["desk"]

ORDER = "2745812000123456789"


async def test_the_state_of_orders_is_shown_and_rebuilt(desk: Desk) -> None:
    await desk.store_some()
    await desk.store(ORDER)

    shown = await desk.run("state", "show", ORDER)
    entry = f"nats kv get {desk.subjects.state_bucket} order.1688.{ORDER}"
    assert (shown.code, shown.err) == (0, f"nats: {entry}\n")
    assert shown.out.splitlines()[:2] == [
        f"1688 order {ORDER}",
        "  status    closed, 1 event, not paid",
    ]
    as_json = await desk.run("state", "show", ORDER, "--channel", "1688", "--json")
    (document,) = json.loads(as_json.out)
    assert (document["status"], document["events"]) == ("closed", 1)

    dry = await desk.run("state", "rebuild", "--dry-run")
    assert (dry.code, dry.out.startswith("3 orders: 0 as they are kept; 3 not kept yet; ")) == (
        1,
        True,
    )
    real = await desk.run("state", "rebuild")
    assert (real.code, "3 not kept yet" in real.out) == (0, True)
    audit = await desk.run("audit", "--verb", "state-rebuild")
    assert "state-rebuild  3 new  by " in audit.out
    again = await desk.run("state", "rebuild", "--dry-run", "--json")
    assert (again.code, json.loads(again.out)["orders"]["same"]) == (0, 3)


async def test_an_order_that_is_not_known_and_a_channel_that_is_none(desk: Desk) -> None:
    unknown = await desk.run("state", "show", "4711")
    assert (unknown.code, unknown.err) == (
        1,
        "yizhan: 4711: no event of such an order is known\n",
    )
    wrong = await desk.run("state", "show", "4711", "--channel", "tmall")
    assert (wrong.code, wrong.err) == (
        2,
        "yizhan: --channel tmall: no such channel: there are: taobao, 1688, unknown\n",
    )
