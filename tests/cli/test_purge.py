"""`yizhan purge` as an operator types it."""

from __future__ import annotations

import json

from tests.cli.repair.conftest import desk
from tests.cli.test_handlers import Desk

__all__ = ["desk"]

OF_ORDER = ("purge", "--order", "gone", "--what", "events, runs,state")
WHY = ("--reason", "the customer asked for it", "--yes", "--by", "ann")


async def test_an_operator_deletes_what_is_stored_of_an_order(desk: Desk) -> None:
    await desk.handlers()
    await desk.store("kept")
    await desk.work()
    await desk.store("gone")
    plan = await desk.run(*OF_ORDER, "--dry-run", "--json")
    needed = await desk.run(*OF_ORDER, *WHY)
    done = await desk.run(*OF_ORDER, "--unprocessed", *WHY)
    again = await desk.run(*OF_ORDER, *WHY, "--json")
    kept = await desk.run("order", "kept", "--json")
    audit = await desk.run("audit", "--verb", "purge")

    document = json.loads(plan.out)
    assert (plan.code, document["total"], document["types"]) == (0, 1, {"order.closed": 1})
    assert (document["unprocessed"], document["streams"][0]["what"]) == ({"slow": 1}, "events")
    assert needed.code == 2
    assert "slow has not handled 1 of the events: wait until that is done, or" in needed.err
    assert done.code == 0, done
    assert f"  1 events in {desk.subjects.stream}, #2 to #2, " in done.out
    assert "NOT HANDLED  slow may not have handled 1 of them" in done.out
    assert done.out.endswith("\n1 deleted, 1 events\n")
    assert json.loads(again.out) == {"numbers": {}, "reasons": [], "outcome": "done"}
    assert len(json.loads(kept.out)["events"]) == 1
    (line,) = audit.out.splitlines()
    assert "purge  --order gone --what events,runs,state  1 selected, 1 deleted, 1 events" in line
