"""The quarantine on the console: by reason, one by one, read again, dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from receiver.bus.callback_codec import encode_quarantined
from receiver.bus.read.filters import Filters
from receiver.callback import Fault, InboundRequest, Proof, VerifiedRequest
from receiver.console.rendering import query
from receiver.settings import SourceSettings
from tests.console.desk import ROOT_PATH, Page, Visitor
from tests.console.seeded import HOSTILE

ORDER = "2745812000123456711"


def fields_of(page: Page, path: str) -> dict[str, str]:
    form = page.form(f"{ROOT_PATH}{path}")
    return {name: value for name, value in form.items() if not name.startswith(":")}


async def spoiled(visitor: Visitor, text: str, fault: str) -> None:
    """A callback of a sender that was verified, in quarantine."""
    source = SourceSettings(name="shop", dialect="xport", verification="none")
    request = InboundRequest(source, (), text.encode(), datetime.now(UTC))
    verified = VerifiedRequest(request, Proof("token"))
    where = Fault(place="messageBody", reason=fault)
    message = encode_quarantined(verified, where, visitor.desk.subjects)
    await visitor.shelf.publisher.publish([message])


async def left(visitor: Visitor) -> int:
    return len(await visitor.desk.quarantine.chosen(Filters()))


async def test_callbacks_are_listed_shown_read_again_and_dropped(visitor: Visitor) -> None:
    for text in HOSTILE[:4]:
        await visitor.shelf.spoil(text)
    await spoiled(visitor, HOSTILE[5], HOSTILE[1])
    order = json.dumps({"orderId": ORDER, "orderStatus": "WAITING_FOR_SENT"})
    body = {"messageType": "ORDER_PAY_SUCCESS", "messagePlatform": 1, "messageBody": order}
    await spoiled(visitor, json.dumps(body), "no such field")  # the dialect was corrected
    before = await left(visitor)
    page, document = await visitor.get("/quarantine"), await visitor.json("/quarantine.json")
    assert f"{before} callbacks in quarantine" in page.text
    assert {one["reason"] for one in document["groups"]} == {"no JSON", "no such field", HOSTILE[1]}
    good, bad = document["callbacks"][0]["seq"], document["callbacks"][1]["seq"]
    shown = await visitor.get(f"/callbacks/{good}")
    assert "Could not be read at messageBody: no such field" in shown.text
    assert f"yizhan quarantine show '#{good}'" in shown.text
    assert f"{ROOT_PATH}/quarantine/reparse?callback={good}" in shown.links

    plan = await visitor.get(f"/quarantine/reparse?callback={bad}")
    assert "1 unreadable" in plan.text
    assert "There is nothing to store" in plan.text
    plan = await visitor.get(f"/quarantine/reparse?callback={good}")
    assert "1 payment.succeeded new" in plan.text
    done = await visitor.sent("/quarantine/reparse", **fields_of(plan, "/quarantine/reparse"))
    assert "1 read, 1 events." in done.text
    assert await left(visitor) == before - 1
    events = await visitor.json(f"/events.json{query({'order': ORDER})}")
    assert [one["type"] for one in events["events"]] == ["payment.succeeded"]
    await visitor.get(f"/quarantine/reparse?callback={good}", 404)

    fields = fields_of(await visitor.get("/quarantine/drop?source=shop"), "/quarantine/drop")
    without = await visitor.post("/quarantine/drop", **fields)
    changed = await visitor.post("/quarantine/drop", **fields | {"reason": "x", "count": "1"})
    assert (without.status_code, changed.status_code) == (400, 409)
    assert await left(visitor) == before - 1
    done = await visitor.sent("/quarantine/drop", **fields | {"reason": "a load test"})
    assert f"{before - 1} dropped." in done.text
    assert "Nothing is in quarantine" in done.text

    acts = (await visitor.json("/audit.json?verb=quarantine-drop"))["acts"]
    assert (acts[0]["reason"], acts[0]["numbers"]["dropped"]) == ("a load test", before - 1)
    page = await visitor.get("/audit")
    assert "a load test" in page.text
    await visitor.get("/audit?verb=no-such", 400)
