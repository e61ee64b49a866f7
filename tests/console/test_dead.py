"""Dead letters on the console: by cause, one by one, given back, dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from receiver.bus.read.filters import Filters
from receiver.console.rendering import query
from receiver.operations.look.status import Place, status
from receiver.operations.look.verdict import awake
from tests.console.desk import ROOT_PATH, Visitor
from tests.operations.repair.test_letters import letter

OTHER = "ffffffffffff"
CAUSE = "0a1b2c3d4e5f"


@pytest.fixture(autouse=True)
async def letters(visitor: Visitor) -> AsyncIterator[None]:
    """Three of one cause and one of another, and none for the tests of other pages."""
    subjects = visitor.desk.subjects
    made = [letter(subjects, f"order-{number}", number) for number in (1, 2, 3)]
    await visitor.shelf.publisher.publish([*made, letter(subjects, "order-4", 4, cause=OTHER)])
    yield
    for one in await visitor.desk.letters.chosen(Filters()):
        await visitor.bus.connection.jetstream.delete_msg(subjects.dead_stream, one.seq)


async def left(visitor: Visitor) -> int:
    return len(await visitor.desk.letters.chosen(Filters()))


async def test_causes_lead_to_letters_and_a_letter_to_its_order(visitor: Visitor) -> None:
    page, document = await visitor.get("/dead"), await visitor.json("/dead.json")
    assert [(one["cause"], one["count"]) for one in document["causes"]] == [(CAUSE, 3), (OTHER, 1)]
    assert document["letters"] is None
    assert "4 dead letters of 2 causes" in page.text
    assert "ValueError: no such shelf" in page.text
    assert "yizhan dead list" in page.text

    words = query({"handler": "ship", "cause": CAUSE})
    assert f"{ROOT_PATH}/dead{words}" in page.links
    page, document = await visitor.get(f"/dead{words}"), await visitor.json(f"/dead.json{words}")
    assert [one["order_id"] for one in document["letters"]] == ["order-3", "order-2", "order-1"]
    assert f"yizhan dead list --handler ship --cause {CAUSE}" in page.text

    seq = document["letters"][0]["seq"]
    one = await visitor.get(f"/dead/{seq}")
    assert f"{ROOT_PATH}/orders/order-3" in one.links
    assert f"yizhan dead show '#{seq}'" in one.text
    gone = await visitor.get("/dead/999999", 404)
    assert "There is no dead letter #999999" in gone.text
    wrong = await visitor.get("/dead?cause=no+cause", 400)
    assert "cause 'no cause': write a fingerprint" in wrong.text


async def test_letters_are_dropped_for_a_reason_that_is_recorded(visitor: Visitor) -> None:
    page = await visitor.get(f"/dead/drop?handler=ship&cause={CAUSE}&since=2h")
    form = page.form(f"{ROOT_PATH}/dead/drop")
    fields = {name: value for name, value in form.items() if not name.startswith(":")}
    assert (fields["count"], fields["cause"], fields["reason"]) == ("3", CAUSE, "")
    since, until = (datetime.fromisoformat(fields[name]) for name in ("since", "until"))
    assert abs(until - since - timedelta(hours=2)) < timedelta(minutes=1), "both are pinned"
    assert "Drop 3 dead letters for good?" in page.text

    without = await visitor.post("/dead/drop", **fields)
    assert (without.status_code, await left(visitor)) == (400, 4)
    changed = await visitor.post("/dead/drop", **fields | {"reason": "a test", "count": "2"})
    assert (changed.status_code, await left(visitor)) == (409, 4)
    done = await visitor.sent("/dead/drop", **fields | {"reason": "a test"})
    assert "3 dropped." in done.text
    assert await left(visitor) == 1
    again = await visitor.post("/dead/drop", **fields | {"reason": "a test"})
    assert again.status_code == 409


async def test_a_letter_whose_handler_is_gone_is_kept(visitor: Visitor) -> None:
    page = await visitor.get("/dead/retry")
    assert "Give 4 dead letters back?" in page.text
    assert "ship: no handler of this name takes its 4 letters" in page.text
    form = page.form(f"{ROOT_PATH}/dead/retry")
    fields = {name: value for name, value in form.items() if not name.startswith(":")}
    done = await visitor.sent("/dead/retry", **fields)
    assert "4 without handler" in done.text
    assert await left(visitor) == 4


async def test_a_cause_is_snoozed_for_a_reason_and_counts_again(visitor: Visitor) -> None:
    words = query({"handler": "ship", "cause": CAUSE})
    page = await visitor.get("/dead")
    assert f"{ROOT_PATH}/dead/snooze{words}" in page.links
    fields = {"handler": "ship", "cause": CAUSE}
    for wrong in ({"for": "8h"}, {"for": "8h", "reason": " "}, {"for": "31d", "reason": "long"}):
        answer = await visitor.post("/dead/snooze", **fields, **wrong)
        assert answer.status_code == 400, answer.text
    known = {"for": "8h", "reason": "the carrier <b>knows</b>"}
    snoozed = await visitor.sent("/dead/snooze", **fields, **known)
    assert f"{CAUSE} of ship is snoozed for 8h" in snoozed.text
    assert "by console: the carrier <b>knows</b>" in snoozed.text
    first, other = (await visitor.json("/dead.json"))["causes"]
    assert (first["cause"], first["snooze"]["by"], other["snooze"]) == (CAUSE, "console", None)

    place = Place(visitor.desk.archive, visitor.desk.handlers)
    letters = (await status(place, datetime.now(UTC)))["dead_letters"]
    assert letters["handlers"] == ["ship"]  # it has a letter of another cause
    snoozed = letters["snoozed"]
    assert (letters["count"], snoozed["count"], snoozed["causes"]) == (4, 3, 1)
    assert awake(letters) == {"count": 1, "causes": 1, "last_day": 1, "in_doubt": 0}

    form = await visitor.get(f"/dead/snooze{words}")
    assert "Snoozed by console" in form.text
    woken = await visitor.sent("/dead/snooze", **fields, wake="yes")
    assert f"{CAUSE} of ship counts again" in woken.text
    assert (await visitor.json("/dead.json"))["causes"][0]["snooze"] is None
    again = await visitor.post("/dead/snooze", **fields, wake="yes")
    assert again.status_code == 404
    verbs = [act["verb"] for act in (await visitor.json("/audit.json"))["acts"]]
    assert verbs[:2] == ["dead-wake", "dead-snooze"]
