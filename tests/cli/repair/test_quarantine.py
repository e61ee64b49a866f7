"""`yizhan quarantine` as an operator types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.cli.test_handlers import Desk

BODY = b'{"message_type": 3, "data": {"purchase_id": "2", "receiver_name": "Zhang"}}'


async def quarantined(desk: Desk, number: int, **headers: str) -> None:
    """A callback that the source's dialect of then could not read, as a receiver stores it."""
    identity = f"{number:032x}"
    facts = {
        "Nats-Msg-Id": identity,
        "yizhan-callbackid": identity,
        "yizhan-receivedtime": datetime.now(UTC).isoformat(),
        "yizhan-dialect": "xport",
        "yizhan-trust": "token",
        "yizhan-reason": "neither%20messageType%20nor%20messageBody",
        "yizhan-place": "body",
    }
    subject = f"{desk.subjects.root}.in.quarantine.s"
    await desk.client.jetstream().publish(subject, BODY, headers=facts | headers)


async def test_an_operator_reads_the_quarantine_again(desk: Desk) -> None:
    await desk.handlers()
    await quarantined(desk, 1)
    await quarantined(desk, 2, **{"yizhan-trust": "none"})
    listed = await desk.run("quarantine", "list")
    masked = await desk.run("quarantine", "show", "#1")
    shown = await desk.run("quarantine", "show", f"{1:032x}", "--reveal", "--json")
    same = await desk.run("quarantine", "reparse", "--all", "--yes")
    settings = desk.yizhan.directory / "yizhan.toml"
    settings.write_text(settings.read_text().replace('"xport"', '"global"'))
    dry = await desk.run("quarantine", "reparse", "--all", "--dry-run")
    planned = await desk.run("quarantine", "reparse", "--all", "--dry-run", "--json")
    done = await desk.run("quarantine", "reparse", "--source", "s", "--yes", "--by", "ann")
    dropped = await desk.run("quarantine", "drop", "#2", "--reason", "a test", "--yes")
    left = await desk.run("quarantine", "list")
    audit = await desk.run("audit")

    assert "2 callbacks in quarantine" in listed.out
    assert "s  neither messageType nor messageBody at body" in listed.out
    assert "Zhang" not in masked.out
    assert json.loads(shown.out)["callback"]["body"]["text"] == BODY.decode()
    assert (same.code, "1 unreadable" in same.out) == (1, True)
    assert (dry.code, done.code, dropped.code) == (0, 3, 0), (dry, done, dropped)
    assert "  1 order.status_changed new\n  1 unverified\n" in dry.out
    plan = json.loads(planned.out)
    assert (plan["new"], plan["outcome"]) == ({"order.status_changed": 1}, None)
    assert "1 read, 1 unverified, 1 events\n" in done.out
    assert left.out == "nothing is in quarantine\n"
    reparsed, drop = audit.out.splitlines()
    assert "--source s  2 selected, 1 read, 1 unverified, 1 events  by ann: partly" in reparsed
    assert 'quarantine-drop  --callback #2  1 selected, 1 dropped  "a test"  by' in drop
