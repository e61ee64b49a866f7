"""Events on the console: page by page, one by one, and as they are stored."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.cli.look.single_text import event_text
from receiver.console.rendering import query, segment
from receiver.operations.look.live import live
from receiver.operations.look.retransmissions import differences
from tests.console.desk import ROOT_PATH, Visitor
from tests.console.seeded import HOSTILE, PHONE

ORDER = "2745812000123456799"


async def seqs(visitor: Visitor, page: str) -> list[int]:
    return [one["seq"] for one in (await visitor.json(page))["events"]]


async def test_events_are_paged_by_sequence_newest_first(visitor: Visitor) -> None:
    for number in range(60):
        await visitor.shelf.push(ORDER if number % 12 else f"{ORDER}1", payTime=f"{number}")
    words = {"order": ORDER}
    first = await visitor.json(f"/events.json{query(words)}")
    pages, older = [[one["seq"] for one in first["events"]]], first["older"]
    while older is not None:
        page = await visitor.json(f"/events.json{query({**words, 'before': str(older)})}")
        pages.append([one["seq"] for one in page["events"]])
        older = page["older"]
    assert [len(page) for page in pages] == [50, 5]
    every = [seq for page in pages for seq in page]
    assert every == sorted(set(every), reverse=True)
    assert first["command"] == f"yizhan tail --since 1h --order {ORDER}"

    chosen = selection.events(Filters(order_id=ORDER), visitor.desk.subjects)
    reader = visitor.desk.archive.reader
    async with aclosing(live(reader, chosen, 0, asyncio.Event(), at_once=20)) as batches:
        batch = await anext(batches)
    assert (batch.skipped, [one.stream_seq for one in batch.messages]) == (35, every[:20][::-1])

    newer = await visitor.json(f"/events.json{query({**words, 'after': str(every[-1] - 1)})}")
    assert [one["seq"] for one in newer["events"]] == every[-50:]
    await visitor.shelf.push(ORDER)
    (event,) = (
        await visitor.json(f"/events.json{query({**words, 'after': str(first['newer'])})}")
    )["events"]
    assert event["seq"] > every[0]
    page = await visitor.get(f"/events{query(words)}")
    newest = event["seq"]
    assert f"{ROOT_PATH}/events{query({**words, 'after': str(newest)})}" in page.links
    assert f"{ROOT_PATH}/events/{newest}" in page.links
    assert (await seqs(visitor, "/events.json?source=shop&since=1h"))[0] == newest
    assert await seqs(visitor, "/events.json?source=other") == []
    await visitor.get("/events?before=no", 400)
    await visitor.get("/events?type=no.type", 400)


async def test_an_event_leads_to_its_bytes_which_are_masked(visitor: Visitor) -> None:
    callback = await visitor.shelf.push(f"{ORDER}2", "SOMETHING_NEW", mobile=PHONE)
    answer = await visitor.http.get(f"{ROOT_PATH}/search", params={"q": f"{callback}.0"})
    path = answer.headers["location"].removeprefix(ROOT_PATH)
    document = await visitor.json(f"{path}.json")
    assert path == f"/events/{document['seq']}"
    assert document["event"]["id"] == f"{callback}.0"
    assert (await visitor.json(f"/events/{callback}.0.json"))["seq"] == document["seq"]
    page = await visitor.get(path)
    raw = f"/callbacks/{document['callback']['stream_seq']}"
    assert f"{ROOT_PATH}{raw}" in page.links
    assert f"yizhan event '#{document['seq']}'" in page.text
    masked = await visitor.json(f"{raw}.json")
    assert masked["hex"] is None
    assert PHONE not in json.dumps([document, masked])
    await visitor.get(f"/events/{document['seq'] + 1000}", 404)
    await visitor.get(raw.replace("callbacks", "events"), 404)

    shown = await visitor.sent("/reveal", page=raw, reason="the buyer calls")
    assert PHONE in shown.text
    assert "00000000 7b 22" in shown.text


async def test_what_a_sender_writes_stays_text(visitor: Visitor) -> None:
    for text in HOSTILE:
        await visitor.shelf.push(text, "SOMETHING_NEW", orderNo=text, note=text)
    await visitor.get("/events")
    listed = (await visitor.json("/events.json"))["events"]
    for text, event in zip(HOSTILE[:6], listed[: len(HOSTILE)][::-1], strict=False):
        assert event["order_id"] == text
        page = await visitor.get(f"/events/{event['seq']}")
        assert f"{ROOT_PATH}/orders/{segment(text)}" in page.links


async def test_an_event_says_in_what_a_retransmission_differs(visitor: Visitor) -> None:
    order, other = f"{ORDER}3", "13987654321"
    first = await visitor.shelf.push(order, orderNo="PO-1", mobile=PHONE)
    again = await visitor.shelf.push(order, again=first, mobile=other)
    document = await visitor.json(f"/events/{first}.0.json")
    (found,) = document["retransmissions"]
    assert (found["callback_id"], found["event_seq"]) == (again, document["seq"] + 2)
    assert found["differences"] == [
        {"field": "messageBody.orderNo", "here": "PO-1", "there": None},
        {"field": "messageBody.mobile", "here": "***", "there": "***"},
        {"field": "again", "here": None, "there": first},
    ]
    text = "\n".join(event_text(document))
    assert f"the same fact in callback {again} #{found['stream_seq']}" in text
    assert '  messageBody.orderNo: "PO-1" here, null there' in text
    page = await visitor.get(f"/events/{first}.0")
    assert "3 fields that differ" in page.text
    assert other not in page.text
    for link in (
        f"/replay/plan?seq={document['seq']}",
        f"/callbacks/{found['stream_seq']}",
        f"/events/{found['event_seq']}",
    ):
        assert f"{ROOT_PATH}{link}" in page.links
    assert f"{ROOT_PATH}/replay/plan?order={order}" in (await visitor.get(f"/orders/{order}")).links
    assert differences(b"no JSON", b"{}", reveal=True) is None
    assert differences(b"&a=1" * 201, b"{}", reveal=True) is None
    assert differences(b"a=1&b=2", b"a=1&b=3", reveal=True) == [
        {"field": "b", "here": "2", "there": "3"}
    ]
