"""What is found of an order, a callback and an event, on a real stream with real workers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from handlers import order_state
from receiver.bus.connection import Connection
from receiver.bus.dead_letters import Failure, encode_dead_letter
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.state.keys import effect_key, order_key
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects, input_subject
from receiver.event import Event
from receiver.operations.look.archive import Archive
from receiver.operations.look.id_kinds import hint
from receiver.operations.look.numbers import indexed, why_not_indexed
from receiver.operations.look.order_life import order_life
from receiver.operations.look.single import callback_view, event_view
from receiver.projection.state import empty
from receiver.testing import eventually
from receiver.worker.interface import Context, Retry
from receiver.worker.routing import Router
from schemas.events import (
    AftersalesRefundUpdated,
    LogisticsShipped,
    OrderCompleted,
    Parcel,
    PaymentSucceeded,
)
from tests.operations.shelf import Shelf
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

ORDER = "2745812000123456789"
PHONE = "13812345678"


@pytest.fixture
def archive(connection: Connection, subjects: Subjects) -> Archive:
    return Archive(connection, subjects)


@pytest.fixture
def shelf(publisher: GroupCommitPublisher, subjects: Subjects) -> Shelf:
    return Shelf(publisher, subjects)


def completing() -> Router:
    """Publishes an event for each payment."""
    router = Router()

    @router.on(PaymentSucceeded, start="all")
    async def complete(event: Event[PaymentSucceeded], ctx: Context) -> OrderCompleted:
        return OrderCompleted(channel="1688", order_id=event.order_id, status="completed")

    return router


def failing() -> Router:
    router = Router()

    @router.on(PaymentSucceeded, start="all")
    async def fail(event: Event[PaymentSucceeded], ctx: Context) -> None:
        raise ValueError("no such shelf")

    return router


def postponing() -> Router:
    router = Router()

    @router.on(PaymentSucceeded, start="all")
    async def postpone(event: Event[PaymentSucceeded], ctx: Context) -> None:
        raise Retry(after=timedelta(hours=1))

    return router


async def life_of(archive: Archive, order_id: str = ORDER, **given: Any) -> dict[str, Any]:
    life = await order_life(archive, Filters(order_id=order_id, **given))
    assert life is not None
    return life


async def found_event(archive: Archive, event_id: str, **given: Any) -> StoredMessage:
    stored = await archive.event(event_id, Filters(**given))
    assert stored is not None
    return stored


async def test_a_life_holds_what_came_and_what_handlers_did(
    archive: Archive, shelf: Shelf, bench: Bench
) -> None:
    first = await shelf.push(ORDER, orderNo="PO-7")
    again = await shelf.push(ORDER, again=first)
    await shelf.push("other")
    await bench.work(completing(), failing())

    async def whole() -> bool:
        life = await life_of(archive)
        return len(life["dead_letters"]) == 2 and life["events_count"] == 4

    await eventually(whole, within_s=60)
    life = await life_of(archive)

    assert (life["order_id"], life["order_no"], life["channels"]) == (ORDER, "PO-7", ["1688"])
    assert life["missing"] == []
    kinds = [(e["type"], e["origin"], e["callback_id"]) for e in life["events"]]
    assert kinds[:2] == [("payment.succeeded", "push", first), ("payment.succeeded", "push", again)]
    assert [kind[:2] for kind in kinds[2:]] == [("order.completed", "handler")] * 2
    assert [
        (c["callback_id"], c["message_type"], c["retransmission_of"], len(c["events"]))
        for c in life["callbacks"]
    ] == [(first, "ORDER_PAY_SUCCESS", None, 1), (again, "ORDER_PAY_SUCCESS", first, 1)]
    runs = [run for run in life["runs"] if run["event_id"] == f"{first}.0"]
    assert [(r["attempt"], r["outcome"]) for r in runs if r["handler"] == "fail"] == [
        (1, "retried"),
        (2, "retried"),
        (3, "dead_lettered"),
    ]
    (done,) = (run for run in runs if run["handler"] == "complete")
    assert (done["outcome"], done["published"]) == ("done", [f"{first}.0.complete.0"])
    letter = next(one for one in life["dead_letters"] if one["event_id"] == f"{first}.0")
    assert (letter["handler"], letter["attempts"]) == ("fail", 3)
    assert letter["reason"] == "ValueError: no such shelf"
    assert len(letter["history"]) == 3


async def test_a_life_is_cut_at_a_time(archive: Archive, shelf: Shelf, bench: Bench) -> None:
    first = await shelf.push(ORDER)
    stored = await found_event(archive, f"{first}.0")
    await shelf.push(ORDER, again=first)
    await bench.work(completing())
    await bench.handled(completing())
    until = stored.stored_at + timedelta(microseconds=1)
    life = await life_of(archive, until=until)
    assert [e["callback_id"] for e in life["events"]] == [first]
    assert [c["callback_id"] for c in life["callbacks"]] == [first]
    assert (life["runs"], life["scheduled"], life["events_count"]) == ([], [], 1)
    assert await order_life(archive, Filters(order_id=ORDER, until=stored.stored_at)) is None


async def test_what_is_put_off_is_in_the_life(archive: Archive, shelf: Shelf, bench: Bench) -> None:
    first = await shelf.push(ORDER)
    await bench.work(postponing())

    async def waits() -> bool:
        return bool((await life_of(archive))["scheduled"])

    await eventually(waits, within_s=60)
    (waiting,) = (await life_of(archive))["scheduled"]
    assert (waiting["kind"], waiting["handler"]) == ("retry", "postpone")
    assert (waiting["order_id"], waiting["event_id"]) == (ORDER, f"{first}.0")
    left = datetime.fromisoformat(waiting["at"]) - datetime.now(UTC)
    assert timedelta(minutes=30) < left < timedelta(hours=2)


async def test_the_state_is_that_of_all_events_up_to_the_cut(
    archive: Archive, shelf: Shelf, bench: Bench, connection: Connection, subjects: Subjects
) -> None:
    first = await shelf.push(ORDER, orderNo="PO-7")
    stored = await found_event(archive, f"{first}.0")
    await bench.store(OrderCompleted(channel="1688", order_id=ORDER, status="completed"))
    (state,) = (await life_of(archive, limit=1))["states"]
    (before,) = (await life_of(archive, until=stored.stored_at + timedelta(microseconds=1)))[
        "states"
    ]
    assert (state["status"], state["is_paid"], state["events"]) == ("completed", True, 2)
    assert state["kept_seq"] is None
    assert (before["status"], before["events"]) == ("awaiting_shipment", 1)
    assert (await life_of(archive, event_type="order"))["states"] == []

    store = StateStore(connection, subjects)
    await store.ensure()
    kept = empty("1688", ORDER).model_copy(update={"order_no": "old", "events": 9, "seq": 8})
    await store.put(order_key("1688", ORDER), kept.to_json(), 0)
    life = await life_of(archive)
    await store.stop()
    assert [(one["events"], one["kept_seq"]) for one in life["states"]] == [(9, 8)]
    assert [event["arrival"] for event in life["events"]] == ["advance", "advance"]


async def test_effects_for_the_facts_of_an_order_are_in_its_life(
    archive: Archive, shelf: Shelf, connection: Connection, subjects: Subjects
) -> None:
    first = await shelf.push(ORDER)
    fact = (await found_event(archive, f"{first}.0")).headers["ce-factid"]
    key, other = effect_key("ship", fact, "notify"), effect_key("ship", "f" * 32, "notify")
    record = {"state": "in_doubt", "handler": "ship", "name": "notify", "fact": fact, "why": "cut"}
    record |= {"at": datetime.now(UTC).isoformat(), "event_id": f"{first}.0"}
    store = StateStore(connection, subjects)
    await store.ensure()
    await store.put(key, json.dumps(record).encode(), 0)
    await store.put(other, json.dumps(record).encode(), 0)
    life = await life_of(archive)
    await store.stop()
    (effect,) = life["effects"]
    assert (effect["key"], effect["state"], effect["why"]) == (key, "in_doubt", "cut")


async def test_only_the_latest_events_are_shown_and_all_are_counted(
    archive: Archive, shelf: Shelf
) -> None:
    ids = [await shelf.push(ORDER, payTime=f"2026-01-31 08:00:0{n}") for n in range(4)]
    life = await life_of(archive, limit=2)
    assert [e["callback_id"] for e in life["events"]] == ids[2:]
    assert life["events_count"] == 4


async def test_what_cannot_be_read_is_missing_and_the_rest_is_shown(
    archive: Archive, shelf: Shelf, client: Client, subjects: Subjects
) -> None:
    await client.jetstream().add_stream(name=subjects.runs_stream, subjects=[subjects.all_runs])
    await shelf.push(ORDER)
    life = await life_of(archive)
    assert len(life["events"]) == 1
    assert "the records of runs are missing" in life["missing"][0]
    assert f"nats stream edit {subjects.runs_stream} --allow-direct" in life["missing"][0]


@pytest.mark.parametrize(
    ("number", "field"), [("PO-7", "order_no"), ("SF123", "parcels.waybill_no")]
)
async def test_an_order_is_found_by_another_number(
    archive: Archive, shelf: Shelf, bench: Bench, number: str, field: str
) -> None:
    await shelf.push("1", orderNo="PO-70")
    await shelf.push(ORDER, orderNo="PO-7")
    parcels = (Parcel(waybill_no="SF123"),)
    await bench.store(LogisticsShipped(channel="1688", order_id=ORDER, parcels=parcels))
    looked: list[int] = []
    (mention,) = await archive.mentions(number, Filters(), looked.append)
    assert (mention.order_id, mention.channel, mention.field) == (ORDER, "1688", field)
    assert looked[-1] == 3


async def test_all_orders_of_a_number_are_found_and_none_of_a_part_of_it(
    archive: Archive, shelf: Shelf
) -> None:
    await shelf.push("1", orderNo="PO-7")
    await shelf.push("2", orderNo="PO-7")
    assert [m.order_id for m in await archive.mentions("PO-7", Filters())] == ["1", "2"]
    assert await archive.mentions("PO-", Filters()) == []
    assert await archive.mentions("PO-7", Filters(event_type="logistics")) == []


async def test_all_orders_of_a_number_are_found_by_the_index(
    archive: Archive, bench: Bench, connection: Connection, subjects: Subjects
) -> None:
    shared = Parcel(waybill_no="sf 1234", logistics_id="LP7")
    await bench.store(
        LogisticsShipped(channel="1688", order_id="1", order_no="PO-7", parcels=(shared,)),
        LogisticsShipped(channel="1688", order_id="2.*", order_no="PO-70", parcels=(shared,)),
        OrderCompleted(channel="taobao", order_id="3", order_no="PO-7"),
        AftersalesRefundUpdated(channel="1688", order_id="4", refund_id="TQ1"),
    )
    assert await indexed(archive, "PO-7") == []
    assert "has never run here; `yizhan state rebuild`" in await why_not_indexed(archive)

    await bench.work(order_state.router)
    await bench.handled(order_state.router)
    await bench.workers.pop().stop()  # which writes what is on its way

    async def found(number: str, channel: str | None = None) -> list[tuple[str | None, str]]:
        mentions = await indexed(archive, number, channel)
        return sorted((one.order_id, one.field) for one in mentions)

    assert await found("PO-7") == [("1", "order_no"), ("3", "order_no")]
    assert await found("PO-7", "taobao") == [("3", "order_no")]
    assert await found("Sf1234") == [("1", "waybill_no"), ("2.*", "waybill_no")]
    assert await found("LP7") == [("1", "logistics_id"), ("2.*", "logistics_id")]
    assert await found("TQ1") == [("4", "refund_id")]
    assert await found("PO-") == []
    assert "what was stored before there was an index" in await why_not_indexed(archive)


async def test_a_search_looks_at_the_latest_first_and_stays_in_its_window(
    archive: Archive, shelf: Shelf
) -> None:
    first = await shelf.push("1")
    stored = await found_event(archive, f"{first}.0", since=datetime.now(UTC) - timedelta(days=40))
    later = stored.stored_at + timedelta(microseconds=1)
    assert await archive.event(f"{first}.0", Filters(since=later)) is None
    assert await archive.event(f"{first}.0", Filters(until=stored.stored_at)) is None
    assert await archive.event(f"{first}.0", Filters(order_id="2")) is None
    assert await found_event(archive, f"{first}.0", order_id="1", until=later) == stored


async def test_an_event_is_shown_with_its_bytes_and_with_who_handled_it(
    archive: Archive, shelf: Shelf, bench: Bench
) -> None:
    first = await shelf.push(ORDER)
    await bench.work(completing(), failing())

    async def buried() -> bool:
        return bool(await bench.dead())

    await eventually(buried, within_s=60)
    await bench.handled(completing(), failing())
    view = await event_view(archive, await found_event(archive, f"{first}.0"), reveal=True)
    assert (view["event"]["id"], view["event"]["data"]["order_id"]) == (f"{first}.0", ORDER)
    assert view["callback"]["callback_id"] == first
    assert json.loads(view["callback"]["body"]["text"])["messageType"] == "ORDER_PAY_SUCCESS"
    by_name = {one["handler"]: one for one in view["handlers"]}
    assert set(by_name) == {"complete", "fail"}
    assert [one["progress"] for one in view["handlers"]] == ["done", "done"]
    assert len(by_name["fail"]["runs"]) == 3
    assert [one["handler"] for one in view["dead_letters"]] == ["fail"]


async def test_a_callback_is_found_though_others_lie_before_its_events(
    archive: Archive, shelf: Shelf
) -> None:
    first = await shelf.push(ORDER, apart=True)
    stored = await found_event(archive, f"{first}.0")
    view = await event_view(archive, stored, reveal=False)
    assert view["callback"]["callback_id"] == first
    raw = await archive.callback(first, Filters())
    assert raw is not None
    both = await callback_view(archive, raw, reveal=False)
    assert [one["id"] for one in both["events"]] == [f"{first}.0"]
    assert "data" not in both["events"][0]


async def test_a_callback_in_quarantine_is_found_by_its_id(archive: Archive, shelf: Shelf) -> None:
    await shelf.push(ORDER)
    spoiled = await shelf.spoil("{not JSON")
    stored = await archive.callback(spoiled, Filters(source="shop"))
    assert stored is not None
    callback = (await callback_view(archive, stored, reveal=False))["callback"]
    assert (callback["quarantined"], callback["reason"]) == (True, "no JSON")
    assert callback["body"] == {"size_bytes": 9, "masked": None}
    assert await archive.callback(spoiled, Filters(source="elsewhere")) is None


async def test_personal_data_is_masked_unless_it_is_asked_for(
    archive: Archive, shelf: Shelf
) -> None:
    first = await shelf.push(ORDER, "SOMETHING_NEW", receiverName="张三", mobile=PHONE)
    stored = await found_event(archive, f"{first}.0")
    masked = json.dumps(await event_view(archive, stored, reveal=False), ensure_ascii=False)
    plain = json.dumps(await event_view(archive, stored, reveal=True), ensure_ascii=False)
    assert "SOMETHING_NEW" in masked
    assert ORDER in masked
    assert not any(secret in masked for secret in ("张三", PHONE))
    assert all(secret in plain for secret in ("张三", PHONE))


async def test_an_event_of_another_version_is_shown_and_said_to_be_unreadable(
    archive: Archive, client: Client, subjects: Subjects, shelf: Shelf
) -> None:
    subject = input_subject(subjects.event("1688", "order.closed", ORDER))
    headers = {"ce-specversion": "1.0", "ce-id": "x.0", "ce-type": "yizhan.order.closed.v9"}
    await client.jetstream().publish(subject, b'{"new": 1}', headers=headers)
    await shelf.push(ORDER)
    life = await life_of(archive)
    event, known = life["events"]
    assert (event["type"], event["data"]) == ("order.closed", {"new": 1})
    assert event["unreadable"] == "it is version 9 of its type, and this Yizhan reads version 1"
    assert (known["unreadable"], life["states"][0]["events"]) == (None, 1)


async def test_letters_that_no_record_of_a_run_leads_to_are_in_the_life(
    archive: Archive, shelf: Shelf, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    for order in (ORDER, "other"):
        first = await shelf.push(order)
        stored = await found_event(archive, f"{first}.0")
        failure = Failure(
            handler="ship",
            reason="ValueError: no",
            place="ship.ship:1",
            attempts=3,
            nats_subject=stored.nats_subject,
            stream_seq=stored.stream_seq,
            time=datetime.now(UTC),
            fingerprint="0a1b2c3d4e5f",
        )
        letter = encode_dead_letter(stored.headers, stored.body, failure, subjects)
        await publisher.publish([letter])
        former = letter._replace(subject=f"{subjects.root}.dead.ship", msg_id=f"former{order}")
        head = letter.head.replace(letter.msg_id.encode(), former.msg_id.encode())
        await publisher.publish([former._replace(head=head)])

    letters = (await life_of(archive))["dead_letters"]
    assert [(one["stream_seq"], one["cause"]) for one in letters] == [
        (1, "0a1b2c3d4e5f"),
        (2, None),
    ]
    again = former._replace(msg_id="again", head=head.replace(b"formerother", b"again"))
    await publisher.publish([again])
    await archive.connection.jetstream.delete_msg(subjects.dead_stream, 4)
    others = (await life_of(archive, "other"))["dead_letters"]
    assert [one["stream_seq"] for one in others] == [3, 5]


async def test_an_order_without_a_consumer_left_costs_the_server_nothing(
    archive: Archive, shelf: Shelf, client: Client, subjects: Subjects
) -> None:
    await shelf.push(ORDER)
    await life_of(archive)
    info = await call(client, f"STREAM.INFO.{subjects.stream}", {})
    assert info["state"]["consumer_count"] == 0
    chosen = selection.events(Filters(order_id=ORDER), subjects)
    assert await archive.reader.count(chosen) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0a1b2c3d4e5f60718293a4b5c6d7e8f9", "a callback id (`yizhan callback 0a1b"),
        ("0a1b2c3d4e5f60718293a4b5c6d7e8f9.0", "an event id (`yizhan event 0a1b"),
        ("0a1b2c3d4e5f60718293a4b5c6d7e8f9.0.fetch.1", "an event that a handler made"),
        ("#12", "the sequence of a message"),
        ("0123456789ab", "the fingerprint of a cause"),
        ("order.created", "an event type"),
        ("SF1234567890123", "a waybill number"),
        ("TQ123456789", "a refund id"),
        (ORDER, "it looks like an order id"),
        ("PO-7", ""),
    ],
)
def test_a_hint_says_what_an_id_looks_like(text: str, said: str) -> None:
    given = hint(text, tried="yizhan order")
    assert said in given
    assert bool(given) == bool(said)
    assert "(`yizhan order" not in given
