"""Everything that is stored goes into a file and comes out of it elsewhere, once."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from receiver.bus.consumers import ConsumerPlan, consumer_info, ensure_consumer
from receiver.bus.dead_letters import Failure, encode_dead_letter
from receiver.bus.durables import reset
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import NonceClaimedError
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.schedules import Place as SchedulePlace
from receiver.bus.schedules import StreamSchedules
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from receiver.projection.state import OrderState
from receiver.transfer.line import Line, decode_line, encode_line
from receiver.worker.effects.states import EffectRecord, State, read_record
from tests.operations.shelf import Shelf
from tests.transfer.moving import Place, now, opened_place


@pytest.fixture
async def here(nats_url: str, subjects: Subjects) -> AsyncIterator[Place]:
    async with opened_place(nats_url, subjects) as place:
        yield place


@pytest.fixture
async def there(nats_url: str) -> AsyncIterator[Place]:
    async with opened_place(nats_url, Subjects(f"t{secrets.token_hex(6)}")) as place:
        yield place


def same(stored: StoredMessage) -> tuple[str, dict[str, str], bytes]:
    """What an import leaves as it is."""
    ours = ("Nats-Batch", "yizhan-storedat", "yizhan-importedfrom")
    headers = {n: text for n, text in stored.headers.items() if not n.startswith(ours)}
    return stored.nats_subject.partition(".")[2], headers, stored.body


async def test_events_and_callbacks_come_out_as_they_went_in_and_only_once(
    here: Place, there: Place, tmp_path: Path
) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    for number in range(40):
        await shelf.push(f"1{number}")
    await shelf.spoil("not json \n\x00 订单")
    file = tmp_path / "all.zst"
    assert await here.export(file) == {"callbacks": 40, "events": 40, "quarantine": 1}
    assert file.stat().st_mode & 0o777 == 0o600

    first = await there.take(file)
    assert first.numbers == {"stored": 81}
    before = await here.holds(here.subjects.stream)
    after = await there.holds(there.subjects.stream)
    assert list(map(same, after)) == list(map(same, before))
    assert after[0].headers["yizhan-storedat"] == before[0].stored_at.isoformat()

    assert (await there.take(file)).numbers == {"already there": 81}
    assert len(await there.holds(there.subjects.stream)) == 81


async def test_a_line_holds_a_message_byte_for_byte(here: Place) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    await shelf.push("订单 1")
    await shelf.spoil("{\n}")
    stored = await here.holds(here.subjects.stream)
    for message in stored:
        line = Line(here.subjects.stream, message)
        assert decode_line(encode_line(line)[:-1]) == line


async def test_what_handlers_keep_comes_along_and_the_stricter_effect_stays(
    here: Place, there: Place, tmp_path: Path
) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    for kind in ("ORDER_CREATE", "ORDER_PAY_SUCCESS"):
        await shelf.push("1", kind)
    await stored_states(here)
    exported: dict[str, State] = {"fresh": "done", "stricter": "done", "looser": "released"}
    for name, state in exported.items():
        await here.store.put(f"effect.h.f.{name}", effect(name, state), 0, ttl=timedelta(days=9))
    kept_there: dict[str, State] = {"stricter": "released", "looser": "in_doubt"}
    for name, state in kept_there.items():
        await there.store.put(f"effect.h.f.{name}", effect(name, state), 0)
    file = tmp_path / "all.zst"
    await here.export(file)

    report = await there.take(file)
    assert dict(report.counts["state"]) == {"stored": 2, "stricter": 1, "kept": 1}
    found = {name: await there.store.get(f"effect.h.f.{name}") for name in ("fresh", "stricter")}
    assert {read_record(entry.value or b"").state for entry in found.values()} == {"done"}
    kept = await there.store.get("effect.h.f.looser")
    assert read_record(kept.value or b"").state == "in_doubt"
    theirs, ours = await state_of(there), await state_of(here)
    assert (theirs.content(), theirs.events) == (ours.content(), 2)
    log = await there.states.from_log("1688", "1", None)
    assert (await there.store.get("order.1688.1")).value == log.to_json()
    again = await there.take(file)
    assert dict(again.counts["state"]) == {"already there": 3, "kept": 1}


async def test_the_state_of_an_order_is_left_out_where_the_log_holds_more_of_it(
    here: Place, there: Place, tmp_path: Path
) -> None:
    await Shelf(here.publisher, here.subjects).push("1")
    await stored_states(here)
    file = tmp_path / "all.zst"
    await here.export(file)
    await Shelf(there.publisher, there.subjects).push("1", "ORDER_CREATE")
    report = await there.take(file)
    assert dict(report.counts["state"]) == {"left out": 1}
    assert (await state_of(there)).events == 2


async def test_letters_and_what_was_put_off_name_their_events_as_they_are_here(
    here: Place, there: Place, tmp_path: Path
) -> None:
    await Shelf(here.publisher, here.subjects).push("7")
    await Shelf(here.publisher, here.subjects).push("1")
    stored = (await here.holds(here.subjects.stream))[-1]
    failure = Failure("h", "ValueError", "", 8, stored.nats_subject, stored.stream_seq, now(), "0a")
    letter = encode_dead_letter(stored.headers, stored.body, failure, here.subjects)
    await here.publisher.publish([letter])
    schedules = StreamSchedules(here.connection, here.subjects, kept=timedelta(days=90))
    place = SchedulePlace("retry", "h", "1688", "1", "e")
    await schedules.put(place, stored, now() + timedelta(hours=1), {})
    file = tmp_path / "all.zst"
    await here.export(file)
    await Shelf(there.publisher, there.subjects).push("2")

    report = await there.take(file)
    assert report.counts["letters"]["stored"] == report.counts["schedules"]["stored"] == 1
    event = next(
        message
        for message in await there.holds(there.subjects.stream)
        if message.headers.get("ce-id") == stored.headers["ce-id"]
    )
    (letter_there,) = await there.holds(there.subjects.dead_stream)
    held = await StreamSchedules(there.connection, there.subjects, kept=timedelta(days=90)).held(
        place
    )
    assert held is not None
    for headers in (letter_there.headers, held.headers):
        assert headers["yizhan-streamseq"] == str(event.stream_seq) != str(stored.stream_seq)
        assert headers["yizhan-subject"] == event.nats_subject
    assert (await there.take(file)).numbers == {"already there": report.numbers["stored"]}


async def test_a_retry_of_an_imported_callback_is_a_duplicate_and_its_nonce_is_used_up(
    here: Place, there: Place, tmp_path: Path
) -> None:
    raw = OutgoingMessage.of(
        here.subjects.raw("s"), {MSG_ID: "c1", "yizhan-callbackid": "c1"}, b"{}"
    )
    claims = {
        name: OutgoingMessage.of(
            here.subjects.nonce("s", name), {MSG_ID: f"nonce.{name}", "Nats-TTL": ttl}, b"c1"
        )
        for name, ttl in (("used", "600s"), ("gone", "600s"))
    }
    for claim in claims.values():
        await here.publisher.publish([raw], claim=claim)
    file = tmp_path / "callbacks.zst"
    assert await here.export(file, ("callbacks",)) == {"callbacks": 1, "nonces": 2}
    report = await there.take(file)
    assert report.numbers == {"stored": 3}

    moved = raw._replace(subject=there.subjects.raw("s"))
    (stored,) = await there.publisher.publish([moved])
    assert stored.duplicate
    other = OutgoingMessage.of(there.subjects.raw("s"), {MSG_ID: "c2"}, b"{ }")
    claim = claims["used"]._replace(subject=there.subjects.nonce("s", "used"), body=b"c2")
    with pytest.raises(NonceClaimedError):
        await JetStreamPublisher(there.connection, timeout_s=10).publish([other], claim=claim)
    late = await there.take(file, clock=lambda: now() + timedelta(minutes=11))
    assert late.numbers == {"already there": 3}
    async with opened_place(there.connection.url, Subjects(f"{there.subjects.root}x")) as fresh:
        late = await fresh.take(file, clock=lambda: now() + timedelta(minutes=11))
        assert {kind: dict(counted) for kind, counted in late.counts.items()} == {
            "nonces": {"expired": 2},
            "callbacks": {"stored": 1},
        }


async def test_handlers_run_nothing_unasked_and_go_on_where_they_were(
    here: Place, there: Place, tmp_path: Path
) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    plan = ConsumerPlan(here.subjects.stream, "handler-h", [here.subjects.all_events])
    await ensure_consumer(here.connection.client, plan)
    for number in range(4):
        await shelf.push(f"1{number}")
    await reset(here.connection.client, plan.stream, plan.durable, 5)  # two of four are done
    file = tmp_path / "all.zst"
    await here.export(file)

    moved = ConsumerPlan(there.subjects.stream, "handler-h", [there.subjects.all_events])
    report = await there.take(file, begin=True, plans=[moved])
    assert report.begun == ["h"]
    assert not (await there.take(file)).numbers.get("stored")  # half made, it runs nothing
    await ensure_consumer(there.connection.client, moved)  # as a worker's start does
    info = await consumer_info(there.connection.client, moved.stream, moved.durable)
    assert info is not None
    assert info["num_pending"] == 2
    with pytest.raises(ConfigurationError, match=r"already \(h\).*--handlers-run"):
        await there.take(file)
    assert not (await there.take(file, handlers_run=True)).numbers.get("stored")


def effect(name: str, state: State) -> bytes:
    return EffectRecord(
        state=state,
        handler="h",
        name=name,
        fact="f",
        event_id="e",
        event_type="order.created",
        claim="c",
        worker="w",
        attempt=1,
        at=now(),
        deadline=now(),
    ).encoded()


async def state_of(place: Place) -> OrderState:
    return await place.states.peek("1688", "1")


async def stored_states(place: Place) -> None:
    """Keep the state of order 1, as a worker does."""
    state = await state_of(place)
    await place.store.put("order.1688.1", state.to_json(), 0)
