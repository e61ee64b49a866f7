"""One order on the console, and texts that a sender controls."""

from __future__ import annotations

import json

from receiver.console.rendering import segment
from tests.console.desk import ROOT_PATH, Visitor

ORDER = "2745812000123456790"
PHONE = "13812345678"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "a/../b?c#d&amp;%2F",
    "javascript:alert(1)",
    "\u202e evil \u200b 订单 😀",
)


async def test_an_order_is_shown_from_its_first_callback_on(visitor: Visitor) -> None:
    first = await visitor.shelf.push(ORDER, orderNo="PO-7")
    again = await visitor.shelf.push(ORDER, again=first)
    path = f"/orders/{ORDER}"
    page, document = await visitor.get(path), await visitor.json(f"{path}.json")
    kinds = [entry["kind"] for entry in document["entries"]]
    assert kinds == ["callback", "event", "callback", "event"]
    assert document["counts"] == {"callback": 2, "event": 2}
    (state,) = document["states"]
    assert (state["status"], state["amounts"]["total"]["amount"]) == ("awaiting_shipment", "12.00")
    assert "awaiting shipment WAITING_FOR_SENT" in page.text
    assert f"a retransmission of {first}" in page.text
    assert again in page.text
    assert "own number PO-7" in page.text
    assert f"yizhan order {ORDER}" in page.text
    assert f"seq-{document['entries'][1]['seq']}" in page.ids

    events = await visitor.json(f"{path}.json?show=event")
    assert [entry["kind"] for entry in events["entries"]] == ["event", "event"]
    early = await visitor.get(f"{path}?at=1h", 404)
    assert f"No event of {ORDER} is selected" in early.text
    listed = await visitor.get("/orders?type=payment")
    assert f"{ROOT_PATH}{path}" in listed.links


async def test_personal_data_is_masked_until_a_reason_is_recorded(visitor: Visitor) -> None:
    order = f"{ORDER}1"
    await visitor.shelf.push(order, "SOMETHING_NEW", mobile=PHONE)
    path = f"/orders/{order}"
    page = await visitor.get(path)
    assert f"{ROOT_PATH}/reveal?page={segment(path)}" in page.links
    assert PHONE not in json.dumps(await visitor.json(f"{path}.json"))
    refused = await visitor.post("/reveal", page=path)
    assert refused.status_code == 400
    away = await visitor.post("/reveal", page="//example.org", reason="a call")
    assert away.status_code == 400

    answer = await visitor.post("/reveal", page=path, reason="the buyer calls")
    place = answer.headers["location"].removeprefix(ROOT_PATH)
    assert PHONE in (await visitor.get(place)).text
    await visitor.shelf.push(f"{order}9", "SOMETHING_NEW", mobile=PHONE)
    other = await visitor.get(place.replace(order, f"{order}9"))
    assert PHONE not in other.text


async def test_texts_of_a_sender_are_texts(visitor: Visitor) -> None:
    for text in HOSTILE:
        await visitor.shelf.push(text, orderNo=text, note=text, orderStatus=text)
        page = await visitor.get(f"/orders/{segment(text)}")
        document = await visitor.json(f"/orders/{segment(text)}.json")
        assert document["order_id"] == text
        assert " ".join(f"Order {text}".split()) in page.text
        assert f"{ROOT_PATH}/orders/{segment(text)}" in (await visitor.get("/orders")).links
        await visitor.get(f"/search?q={segment(text)}x")
