"""Orders' lives and the forms of their callbacks (docs/platform/messages.md#messages)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.simulator.catalogue import Channel
from receiver.simulator.envelope import Form, envelope, pushed_again, type_name
from receiver.simulator.life import Course, live
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook
from receiver.simulator.samples import sample_callbacks
from receiver.simulator.trade import Notice
from receiver.simulator.world import World

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
KINDS = {
    "ORDER_CREATE",
    "ORDER_CANCEL",
    "ORDER_PAY_SUCCESS",
    "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
    "1688_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
    "ORDER_BUYER_VIEW_PART_PART_SENDGOODS",
    "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS",
    "LOGISTICS_BUYER_VIEW_TRACE",
    "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS",
    "ORDER_BUYER_VIEW_ORDER_SUCCESS",
    "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND",
    "TAOBAO_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY",
    "TAOBAO_ORDER_BUYER_VIEW_ORDER_STATUS_MODIFY",
    "TAOBAO_ORDER_BUYER_VIEW_ORDER_REFUND",
}
DETAIL = Notice("1688_ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY", {"baseInfo": {}}, "1688", ka=False)
KA = Notice("ORDER_CREATE", {"orderId": "1"}, "1688", ka=True)
TAOBAO = Notice("TAOBAO_X", {"salesOrderId": "1"}, "taobao", ka=False)


def lived(course: Course, *, seed: int = 1, names: TaobaoNames | None = None) -> list[Notice]:
    book, chance = OrderBook(seed, now=NOW), random.Random(seed)
    return list(live(book, course, names or TaobaoNames(), chance))


def written(said: Notice, form: Form) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(envelope(said, form, pushed_at_ms=1))
    return read


@pytest.mark.parametrize("seed", range(20))
def test_there_is_a_sample_of_each_kind(seed: int) -> None:
    samples = sample_callbacks(seed)
    assert {name for name, _ in samples} == KINDS
    assert len(samples) == len(KINDS)
    assert sample_callbacks(seed) == samples
    assert all(json.loads(body)["messageType"] == name for name, body in samples)


def test_the_names_of_the_taobao_messages_are_a_setting() -> None:
    names = TaobaoNames(price="P", status="S", refund="R")
    said = lived(Course("taobao", "refunded"), names=names)
    assert [part.message_type for part in said] == ["P", "S", "S", "R"]


def test_a_1688_order_lives_in_this_order() -> None:
    said = [part.message_type for part in lived(Course("1688", "completed"))]
    assert said[0] == "ORDER_CREATE"
    assert said[1].removeprefix("1688_") == "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
    assert said[2] == "ORDER_PAY_SUCCESS"
    assert "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS" in said[3:5]
    assert said[-6:-2] == ["LOGISTICS_BUYER_VIEW_TRACE"] * 4
    assert said[-2:] == [
        "ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS",
        "ORDER_BUYER_VIEW_ORDER_SUCCESS",
    ]


def test_a_cancelled_order_never_ships() -> None:
    said = lived(Course("1688", "cancelled"))
    assert said[-1].message_type == "ORDER_CANCEL"
    assert said[-1].body["closeReason"] == "buyer_cancel"
    assert len(said) == 3


def test_a_refund_names_its_case_and_its_order() -> None:
    *_, refund = lived(Course("1688", "refunded"))
    assert refund.body["refundId"].startswith("TQ")
    assert refund.body["orderId"] == lived(Course("1688", "refunded"))[0].body["orderId"]


@pytest.mark.parametrize("channel", ["1688", "taobao"])
def test_a_call_ends_the_life_that_an_order_has_by_itself(channel: Channel) -> None:
    book, pushed = OrderBook(1, now=NOW), list[Notice]()
    world = World(book, names=TaobaoNames(), chance=random.Random(1), notify=pushed.append)
    life = live(book, Course(channel, "completed"), TaobaoNames(), random.Random(1), world.refunds)
    next(life)
    (order,) = book.orders.values()
    world.pay([order])
    assert list(life) == []
    for _ in range(6):
        world.act()
    assert order.parcel is not None
    assert order.parcel.steps[-1].word == "SIGN"
    assert len(pushed) == {"1688": 6, "taobao": 2}[channel]


@pytest.mark.parametrize("seed", range(10))
def test_amounts_are_fen_and_add_up(seed: int) -> None:
    created = lived(Course("1688", "completed"), seed=seed)[0].body
    assert created["totalAmount"] == created["productAmount"] + created["shippingFee"]
    priced = lived(Course("taobao", "completed"), seed=seed)[0].body
    price = {name: str(value) for name, value in priced["purchaseOrderPriceDTO"].items()}
    goods, shipping = int(price["purchaseProductFee"]), int(price["purchaseShippingFee"])
    assert int(price["purchaseTotalFee"]) == goods + shipping
    assert sum(int(line["product_amount"]) for line in priced["subOrders"]) == goods


def test_no_two_ids_are_the_same() -> None:
    book, chance = OrderBook(3), random.Random(3)
    orders = [book.place("taobao", chance) for _ in range(5000)]
    ids = [i for order in orders for i in (order.order_id, *order.line_ids)]
    assert len(ids) == len(set(ids))
    assert {len(i) for i in ids} == {19}
    assert all(book.find_by_line("taobao", o.line_ids[0]) is o for o in orders)


def test_topics_carry_ids_as_numbers_without_loss() -> None:
    said = lived(Course("1688", "completed"))
    shipped = next(s for s in said if s.message_type.endswith("ANNOUNCE_SENDGOODS"))
    assert shipped.body["orderId"] == int(said[0].body["orderId"])
    assert str(shipped.body["orderId"]).encode() in envelope(shipped, Form(), pushed_at_ms=1)


def test_ka_bodies_are_text_and_the_others_are_objects() -> None:
    assert json.loads(written(KA, Form())["messageBody"]) == {"orderId": "1"}
    assert written(DETAIL, Form())["messageBody"] == {"baseInfo": {}}
    assert written(KA, Form(as_text=False))["messageBody"] == {"orderId": "1"}
    assert json.loads(written(TAOBAO, Form(as_text=True))["messageBody"]) == {"salesOrderId": "1"}


@pytest.mark.parametrize(
    ("said", "other"),
    [(KA, "1688_ORDER_CREATE"), (TAOBAO, "X"), (DETAIL, DETAIL.message_type[len("1688_") :])],
)
def test_the_prefix_is_optional(said: Notice, other: str) -> None:
    assert type_name(said, Form()) == said.message_type
    assert type_name(said, Form(other_prefix=True)) == other


def test_the_platform_field_is_present_null_or_missing() -> None:
    assert written(KA, Form())["messagePlatform"] == 1
    assert written(TAOBAO, Form())["messagePlatform"] == 0
    assert written(KA, Form(platform="null"))["messagePlatform"] is None
    assert "messagePlatform" not in written(KA, Form(platform="missing"))


def test_a_push_time_is_text_or_null() -> None:
    assert written(KA, Form())["timestamp"] == "1"
    assert written(KA, Form(timed=False))["timestamp"] is None


@pytest.mark.parametrize("timed", [True, False])
def test_pushed_again_changes_the_time_alone(timed: bool) -> None:
    body = envelope(KA, Form(timed=timed), pushed_at_ms=1)
    again = json.loads(pushed_again(body, pushed_at_ms=2))
    assert again == json.loads(body) | {"timestamp": "2" if timed else None}


def test_every_form_is_drawn_and_always_names_a_taobao_channel() -> None:
    chance = random.Random(1)
    forms = {Form.drawn(chance) for _ in range(5000)}
    assert {form.platform for form in forms} == {"present", "null", "missing"}
    assert {form.as_text for form in forms} == {None, True, False}
    for trait in ("other_prefix", "timed", "extra"):
        assert {getattr(form, trait) for form in forms} == {True, False}
    assert not any(form.other_prefix and form.platform != "present" for form in forms)
