"""`yizhan dead` as an operator types it."""

from __future__ import annotations

import json
import signal
from functools import partial
from typing import Any

from receiver.testing import eventually
from tests.cli.repair.conftest import CORRECTED
from tests.cli.test_handlers import Desk

ORDERS = ("1", "presale-1", "2", "presale-2", "presale-3")


async def causes(desk: Desk) -> list[dict[str, Any]]:
    ended = await desk.run("dead", "list", "--json")
    assert ended.code == 0, ended
    return list(json.loads(ended.out)["causes"])


async def holds(desk: Desk, letters: int) -> bool:
    info = await desk.client.jetstream().stream_info(desk.subjects.dead_stream)
    return info.state.messages == letters


async def test_the_drill(desk: Desk) -> None:
    """A handler breaks on one kind of order: found, corrected, retried, and none handled twice."""
    await desk.handlers()
    await desk.store(*ORDERS)
    await desk.work()
    (cause,) = await causes(desk)
    shown = await desk.run("dead", "show", f"#{cause['newest_seq']}")
    for_a_day = ("--for", "1d", "--reason", "its author is away")
    asleep = await desk.run("dead", "snooze", cause["cause"], *for_a_day, "--by", "ann")
    (snoozed,) = await causes(desk)
    quiet = json.loads((await desk.run("status", "--json")).out)
    woken = await desk.run("dead", "wake", cause["cause"])
    (desk.yizhan.directory / "my.py").write_text(CORRECTED)
    words = ("--handler", "slow", "--cause", cause["cause"])
    slowly = await desk.yizhan.start(
        "dead", "retry", *words, "--rate", "0.01", "--yes", **desk.environ
    )
    await eventually(partial(holds, desk, 2), within_s=60)
    stopped, said = await slowly.stop(signal.SIGINT), "".join(slowly.lines)
    retried = await desk.run("dead", "retry", *words, "--yes", "--by", "ann")
    await desk.work()
    listed = await desk.run("dead", "list")
    again = await desk.run("dead", "retry", *words, "--yes")
    as_json = await desk.run("dead", "retry", *words, "--yes", "--json")
    audit = await desk.run("audit")

    assert (cause["handler"], cause["count"], cause["error"]) == ("slow", 3, "KeyError")
    assert cause["place"].startswith("my.slow:")
    assert "KeyError: 'deposit'" in shown.out
    assert "presale-3" in shown.out
    assert (asleep.code, woken.code) == (0, 0), asleep.err + woken.err
    assert (snoozed["snoozed"]["by"], snoozed["count"]) == ("ann", 3)
    assert quiet["dead_letters"]["snoozed"]["count"] == quiet["dead_letters"]["count"] == 3
    assert not [one for one in quiet["verdict"]["concerns"] if "dead letters" in one]
    assert (stopped, "left as they are" in said) == (130, True)
    assert "stopped: give the same command again to go on with what is left" in said
    assert "Traceback" not in said
    assert retried.code == 0
    assert retried.out == (
        "2 dead letters go back to slow (2)\n2 retried\n"
        "no worker asks for events of slow now: they run once one does\n"
    )
    handled = (desk.yizhan.directory / "handled").read_text().split()
    assert sorted(handled) == sorted(ORDERS)
    assert listed.out == "no dead letter\n"
    assert (again.code, again.out) == (0, "no dead letter is selected\n")
    assert json.loads(as_json.out) == {"numbers": {}, "reasons": [], "outcome": "done"}
    assert f"dead-retry  slow  --handler slow --cause {cause['cause']}" in audit.out
    assert "  3 selected, " in audit.out
    assert "2 selected, 2 retried  by ann: done" in audit.out
    assert "dead-snooze  slow  " in audit.out
    assert len(audit.out.splitlines()) == 4


async def test_letters_of_a_handler_that_is_gone_are_named_with_the_choices(desk: Desk) -> None:
    await desk.handlers()
    await desk.store("presale-1", "presale-2")
    await desk.work()
    gone = {"YIZHAN_HANDLERS__LOAD": "[]"}
    assert (await desk.run("handlers", "forget", "slow", "--yes", **gone)).code == 0
    retried = await desk.run("dead", "retry", "--all", "--yes", **gone)
    unnamed = await desk.run("dead", "retry", "--handler", "slwo", "--yes", **gone)
    declined = await desk.at_terminal("n\n", "dead", "drop", "--all", "--reason", "old")
    one = await desk.run("dead", "drop", "#1", "--reason", "a test order", "--yes")
    late = await desk.run("dead", "drop", "#1", "--reason", "a test order", "--yes")
    words = ("--handler", "slow", "--reason", "replaced", "--yes", "--json")
    rest = await desk.run("dead", "drop", *words)
    audit = json.loads((await desk.run("audit", "--verb", "dead-drop", "--json")).out)["acts"]

    assert retried.code == 2
    assert "slow: no handler of this name takes its 2 letters: start a worker" in retried.err
    assert 'was="slow"; or drop them: yizhan dead drop --handler slow' in retried.err
    assert (unnamed.code, "did you mean slow?" in unnamed.err) == (2, True)
    assert declined[0] == 1
    assert "2 dead letters are deleted for good: slow (2)" in declined[1]
    assert (one.code, one.out.splitlines()[-1]) == (0, "1 dropped")
    assert (late.code, "holds no such letter (any more)" in late.err) == (1, True)
    assert json.loads(rest.out) == {
        "numbers": {"dropped": 1},
        "reasons": [],
        "outcome": "done",
        "nats": [f"nats stream rmm {desk.subjects.dead_stream} 2"],
    }
    assert (rest.code, "are deleted for good: slow (1)" in rest.err) == (0, True)
    assert [(act["reason"], act["numbers"]) for act in audit] == [
        ("a test order", {"selected": 1, "dropped": 1}),
        ("replaced", {"selected": 1, "dropped": 1}),
    ]
    assert audit[0]["filters"] == {"letter": "#1"}
