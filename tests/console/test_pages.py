"""The pages of the console, below a prefix, read as a browser without JavaScript reads them."""

from __future__ import annotations

from receiver.bus.connection import Connection
from receiver.bus.read.reader import Reader
from receiver.console.screens.table import SCREENS
from receiver.operations.look.archive import Archive
from tests.console.desk import ROOT_PATH, Visitor, where

ORDER = "2745812000123456789"


async def test_now_says_one_sentence_and_five_rows(visitor: Visitor) -> None:
    await visitor.shelf.push(ORDER)
    status, counted = await visitor.desk.status(), await visitor.desk.counted()
    async with where(visitor, status=status, counted=counted) as still:
        page, document = await still.get("/"), await still.json("/now.json")
    names = [row["name"] for row in document["rows"]]
    assert names == [
        "Coming in",
        "How the platform sees us",
        "Handlers",
        "Letters & doubt",
        "The platform's API",
    ]
    assert document["well"] is (not document["causes"])
    assert document["causes"][0]["alert"] == "YizhanNoReceiver"
    assert f" {document['headline']} " in page.text
    assert all(cause["sentence"] in page.text for cause in document["causes"])
    for row in document["rows"]:
        assert f"{row['name']} " in page.text
        assert all(f"{line['label']} " in page.text for line in row["lines"])
    assert "yizhan status" in page.text


async def test_the_search_box_takes_any_id(visitor: Visitor) -> None:
    callback = await visitor.shelf.push(ORDER)
    found = await visitor.json(f"/orders/{ORDER}.json?show=event")
    seq = found["entries"][-1]["seq"]
    event, raw = f"/events/{seq}", f"/callbacks/{seq - 1}"
    leads = {
        ORDER: f"/orders/{ORDER}",
        f"{callback}.0": event,
        f"#{seq}": event,
        callback: raw,
        f"{seq - 1}": raw,
        "payment.succeeded": "/events?type=payment.succeeded",
        "shop": "/sources/shop",
    }
    for text, place in leads.items():
        answer = await visitor.http.get(f"{ROOT_PATH}/search", params={"q": text})
        assert answer.status_code == 303, text
        assert answer.headers["location"] == f"{ROOT_PATH}{place}", text
    page = await visitor.get("/search?q=SF1234567890")
    assert "it looks like a waybill number" in page.text


async def test_what_cannot_be_answered_is_a_page_that_says_why(visitor: Visitor) -> None:
    missing = await visitor.get("/nothing", 404)
    assert "There is no page /nothing" in missing.text
    empty = await visitor.get("/search", 404)
    assert "Write an id into the box above" in empty.text
    assert "error" in await visitor.json("/search.json", 404)
    for seq in ("1" * 5000, "9" * 20, "x"):
        assert "There is no dead letter" in (await visitor.get(f"/dead/{seq}", 404)).text
    for path in ("nothing", "", "%00"):
        answer = await visitor.http.get(f"{ROOT_PATH}/static/{path}")
        assert answer.status_code == 404, path
    misspelt = await visitor.get("/events?tpye=payment", 400)
    assert "no filter is called tpye: there are " in misspelt.text


async def test_a_page_does_not_wait_for_nats_as_long_as_a_reading(visitor: Visitor) -> None:
    gone = Connection("nats://127.0.0.1:9", ())
    archive = Archive(gone, visitor.bus.subjects)
    archive.reader = Reader(gone, patience_s=1000)
    async with where(visitor, connection=gone, archive=archive) as one:
        assert "NATS does not answer" in (await one.get("/orders", 503)).text


def test_each_screen_has_a_name_a_key_and_a_path_of_its_own() -> None:
    for values in (
        [one.name for one in SCREENS],
        [one.path for one in SCREENS],
        [one.key for one in SCREENS if one.key],
    ):
        assert len(values) == len(set(values))
