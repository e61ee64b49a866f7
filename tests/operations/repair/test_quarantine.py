"""Callbacks that could not be read, and are read again once settings or dialects have changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.read.selection import StreamSelection
from receiver.bus.reparsed_codec import verified_again
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.dialects.dialect import Dialect
from receiver.errors import YizhanError
from receiver.ingest.intake import Intake
from receiver.ingest.storing import IntakeResult, Receipt
from receiver.operations.look.documents import callback_document
from receiver.operations.repair.quarantine import Quarantine, RawRef
from receiver.operations.repair.reparse import Findings, Reparsing, Today
from receiver.settings import SourceSettings
from receiver.signatures import aop_signature

TOKEN = "t" * 32
ALL = Filters()
STATUS = {"message_type": 3, "data": {"purchase_id": "2", "status": "x"}}
STRANGE = {"message_type": 77, "data": {"purchase_id": "2", "status": "x"}}


def body(push: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({**push, **more}).encode()


def source(dialect: str, name: str = "shop") -> SourceSettings:
    verification = {"verification": "path_token", "path_token": TOKEN}
    return SourceSettings.model_validate({"name": name, "dialect": dialect} | verification)


class Desk:
    """A receiver's intake, and an operator who reads again what it could not read."""

    def __init__(
        self, connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
    ) -> None:
        self.publisher = publisher
        self.subjects = subjects
        self.intake = Intake(publisher, subjects, DIALECTS)
        self.quarantine = Quarantine(connection, subjects)

    async def push(self, source: SourceSettings, sent: bytes, **headers: str) -> Receipt:
        given = [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()]
        request = InboundRequest(
            source, given, sent, datetime.now(UTC), path_token=TOKEN, client="192.0.2.1"
        )
        result: asyncio.Future[IntakeResult] = asyncio.get_running_loop().create_future()
        self.intake.accept(request, result.set_result)
        receipt = await result
        assert isinstance(receipt, Receipt), receipt
        return receipt

    def reparsing(
        self, *sources: SourceSettings, dialects: Mapping[str, Dialect] = DIALECTS
    ) -> Reparsing:
        today = Today({source.name: source for source in sources}, dialects, 1024 * 1024)
        return Reparsing(self.quarantine, today, self.publisher)

    async def reparse(
        self,
        *sources: SourceSettings,
        refs: Sequence[RawRef] | None = None,
        dry: bool = False,
        dialects: Mapping[str, Dialect] = DIALECTS,
    ) -> Findings:
        found = Findings()
        chosen = await self.quarantine.chosen(ALL) if refs is None else refs
        await self.reparsing(*sources, dialects=dialects).run(chosen, found, dry=dry)
        return found

    async def stored(self, subject: str) -> list[StoredMessage]:
        selection = StreamSelection(self.subjects.stream, [subject])
        return [one async for one in self.quarantine.reader.read(selection)]

    async def events(self) -> list[StoredMessage]:
        return await self.stored(self.subjects.all_events)


@pytest.fixture
def desk(connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects) -> Desk:
    return Desk(connection, publisher, subjects)


async def test_the_quarantine_is_listed_by_source_and_reason(desk: Desk) -> None:
    await desk.push(source("xport"), body(STATUS))
    await desk.push(source("xport"), body(STATUS, number=2))
    last = await desk.push(source("xport", "other"), b"not JSON")
    first, second = await desk.quarantine.groups(ALL)
    assert (first.source, first.count, first.place) == ("shop", 2, "body")
    assert first.reason == "neither messageType nor messageBody"
    assert (second.source, second.count, second.newest) == ("other", 1, last.stream_seq)
    assert len(await desk.quarantine.groups(Filters(source="other"))) == 1
    assert await desk.quarantine.groups(Filters(until=datetime(2020, 1, 1, tzinfo=UTC))) == []


async def test_a_quarantined_callback_is_found_by_id_and_by_sequence(desk: Desk) -> None:
    receipt = await desk.push(source("xport"), body(STATUS))
    by_id = await desk.quarantine.one(receipt.callback_id, None)
    by_seq = await desk.quarantine.one("#1", 1)
    assert by_id == by_seq
    assert by_id.body == body(STATUS)
    with pytest.raises(YizhanError, match="is not in quarantine; it looks like a callback id"):
        await desk.quarantine.one("0" * 32, None)
    with pytest.raises(YizhanError, match="holds no such callback in quarantine"):
        await desk.quarantine.one("#9", 9)


async def test_a_callback_is_typed_once_the_dialect_is_corrected(desk: Desk) -> None:
    receipt = await desk.push(source("xport"), body(STATUS), content_type="application/json")
    (before,) = await desk.stored(desk.subjects.quarantine("shop"))
    found = await desk.reparse(source("global"))
    (message,) = await desk.events()
    (raw,) = await desk.stored(desk.subjects.raw("shop"))
    event = decode_event(message.headers, message.body)
    assert found.numbers == {"read": 1, "events": 1}
    assert (event.event_type, event.order_id) == ("order.status_changed", "2")
    assert (event.id, event.callback_id) == (f"{receipt.callback_id}.0", receipt.callback_id)
    assert (event.origin, event.causation_id) == ("reparse", receipt.callback_id)
    assert event.trust == "token"
    assert event.received_at.isoformat() == before.headers["yizhan-receivedtime"]
    assert raw.body == body(STATUS)
    kept = ("yizhan-callbackid", "yizhan-receivedtime", "yizhan-client", "content-type")
    assert {k: raw.headers[k] for k in kept} == {k: before.headers[k] for k in kept}
    assert "yizhan-reason" not in raw.headers
    assert await desk.stored(desk.subjects.quarantine("shop")) == []


async def test_what_was_read_again_is_found_from_its_callback_and_back(desk: Desk) -> None:
    receipt = await desk.push(source("xport"), body(STATUS))
    await desk.reparse(source("global"))
    archive = desk.quarantine.archive
    raw = await archive.callback(receipt.callback_id, ALL)
    (event,) = await desk.events()
    assert raw is not None
    assert await archive.events_of_callback(raw) == [event]
    assert await archive.callbacks_of([event]) == {receipt.callback_id: raw}
    assert callback_document(raw, desk.subjects, reveal=False)["callback_id"] == receipt.callback_id


async def test_it_is_the_event_that_a_receiver_makes_now(desk: Desk) -> None:
    """The id and the fact of a push that was read at once are those of one that is read again."""
    await desk.push(source("xport"), body(STATUS))
    await desk.reparse(source("global"))
    again = await desk.push(source("global"), body(STATUS))
    await desk.push(source("global", "twin"), body(STATUS))
    first, twin = await desk.events()
    assert again.outcome == "duplicate"
    assert first.headers["ce-factid"] != twin.headers["ce-factid"]  # no platform time: by its id
    assert first.body == twin.body


async def test_a_dry_run_says_what_would_come_and_stores_nothing(desk: Desk) -> None:
    await desk.push(source("xport"), body(STATUS))
    await desk.push(source("xport"), b"not JSON")
    found = await desk.reparse(source("global"), dry=True)
    assert dict(found.new) == {"order.status_changed": 1}
    assert found.numbers == {"read": 1, "unreadable": 1, "events": 1}
    assert found.reasons[0].startswith("#2: body: not JSON")
    assert await desk.events() == []
    assert len(await desk.quarantine.chosen(ALL)) == 2


async def test_what_cannot_be_read_stays(desk: Desk) -> None:
    await desk.push(source("xport"), b"not JSON")
    found = await desk.reparse(source("xport"))
    gone = await desk.reparse(source("xport", "other"))
    assert found.numbers == {"unreadable": 1}
    assert gone.numbers == {"without source": 1}
    assert gone.reasons == ["#1: no source of the settings is named shop"]
    assert len(await desk.quarantine.chosen(ALL)) == 1


@pytest.mark.parametrize("trust", ["none", "", "later-word"])
async def test_what_was_not_verified_is_never_typed(
    desk: Desk, connection: Connection, trust: str
) -> None:
    headers = {"yizhan-trust": trust} if trust else {}
    headers |= {"yizhan-callbackid": "0" * 32, "yizhan-receivedtime": "2026-01-31T08:00:00+00:00"}
    subject = f"{desk.subjects.root}.in.quarantine.shop"
    await connection.jetstream.publish(subject, body(STATUS), headers=headers)
    found = await desk.reparse(source("global"))
    assert found.numbers == {"unverified": 1}
    assert await desk.events() == []


async def test_two_operators_who_read_one_callback_store_its_event_once(desk: Desk) -> None:
    await desk.push(source("xport"), body(STATUS))
    refs = await desk.quarantine.chosen(ALL)
    both = await asyncio.gather(*(desk.reparse(source("global"), refs=refs) for _ in "12"))
    assert sum(found.counts["read"] for found in both) == 1
    assert sum(found.counts["taken"] for found in both) == 1
    assert len(await desk.events()) == 1
    assert len(await desk.stored(desk.subjects.raw("shop"))) == 1


def knowing_77(verified: VerifiedRequest) -> Callback:
    """The dialect `global`, once it knows what a type means that it did not know before."""
    request = replace(verified.request, body=verified.request.body.replace(b"77", b"3"))
    return DIALECTS["global"].parse(VerifiedRequest(request, verified.proof))


LATER = {**DIALECTS, "global": replace(DIALECTS["global"], parse=knowing_77)}


async def test_a_callback_of_a_type_that_became_known_is_typed_once(desk: Desk) -> None:
    receipt = await desk.push(source("global"), body(STRANGE))
    refs = await desk.quarantine.chosen_unknown(ALL)
    same = await desk.reparse(source("global"), refs=refs)
    found = await desk.reparse(source("global"), refs=refs, dialects=LATER)
    again = await desk.reparse(source("global"), refs=refs, dialects=LATER)
    unknown, typed = await desk.events()
    assert await desk.quarantine.unknown(ALL) == 1
    assert [ref.quarantined for ref in refs] == [False]
    assert (same.numbers, again.numbers) == ({"unchanged": 1}, {"unchanged": 1})
    assert found.numbers == {"read": 1, "events": 1}
    event = decode_event(typed.headers, typed.body)
    assert event.event_type == "order.status_changed"
    assert event.id == f"{receipt.callback_id}.reparse.{event.fact_id[:12]}"
    assert (event.origin, event.causation_id) == ("reparse", receipt.callback_id)
    assert decode_event(unknown.headers, unknown.body).id == f"{receipt.callback_id}.0"
    assert len(await desk.stored(desk.subjects.raw("shop"))) == 1


async def test_a_form_is_read_as_its_signature_covered_it(desk: Desk) -> None:
    """A `+` is a space or itself: the id of the callback shows which."""
    signed = SourceSettings.model_validate(
        {"name": "shop", "dialect": "aop", "verification": "signature"}
        | {"access_key": "k", "secrets": ["s"]}
    )
    form = (("message", "a+b"),)
    sent = f"message=a+b&_aop_signature={aop_signature(form, 's')}".encode()
    await desk.push(signed, sent)
    (stored,) = await desk.stored(desk.subjects.quarantine("shop"))
    verified = verified_again(stored, signed, DIALECTS["aop"], 1024)
    assert verified.proof.form is not None
    assert dict(verified.proof.form)["message"] == "a+b"


async def test_dropped_callbacks_are_gone(desk: Desk) -> None:
    await desk.push(source("xport"), b"not JSON")
    chosen = await desk.quarantine.chosen(ALL)
    done, late = Findings(), Findings()
    await desk.reparsing().drop(chosen, done)
    await desk.reparsing().drop(chosen, late)
    assert (done.numbers, late.numbers) == ({"dropped": 1}, {"taken": 1})
    assert await desk.quarantine.chosen(ALL) == []


async def test_what_was_read_is_not_dropped(desk: Desk) -> None:
    receipt = await desk.push(source("global"), body(STATUS))
    ref = RawRef(receipt.stream_seq, quarantined=False)
    with pytest.raises(YizhanError, match="is not in quarantine"):
        await desk.reparsing().drop([ref], Findings())
    assert len(await desk.stored(desk.subjects.raw("shop"))) == 1
