"""Raw callbacks that go before their events, on a real stream."""

from __future__ import annotations

from datetime import timedelta

from receiver.bus.callback_codec import quarantined
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import awaited
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.raw_age import RawAge, RawAgeSubmitter
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import Subjects
from receiver.composition.bus import raw_age
from receiver.settings import NatsSettings, Settings
from receiver.testing import eventually


def messages(subjects: Subjects) -> list[OutgoingMessage]:
    """Those of one callback."""
    event = subjects.event("1688", "order.created", "1")
    return [
        OutgoingMessage.of(subject, {"Nats-Msg-Id": f"id{number}"}, b"{}")
        for number, subject in enumerate((subjects.raw("shop"), event))
    ]


async def test_a_raw_callback_goes_after_its_age_and_its_events_stay(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    submitter = RawAgeSubmitter(publisher, RawAge(subjects, timedelta(seconds=1)))
    stored = await awaited(submitter, messages(subjects))
    reader = Reader(connection)

    async def only_the_event_is_left() -> bool:
        every = StreamSelection(subjects.stream, [subjects.everything])
        return [one.stream_seq async for one in reader.read(every)] == [stored[1].stream_seq]

    await eventually(only_the_event_is_left, within_s=60)


def test_what_is_in_quarantine_stays() -> None:
    subjects = Subjects()
    age = RawAge(subjects, timedelta(days=1))
    raw, event = messages(subjects)
    limited = age.limited([raw, event])
    assert limited[0].headers["Nats-TTL"] == "86400s"
    assert limited[1] == event
    kept = quarantined(limited[0], "too large", subjects)
    assert "Nats-TTL" not in kept.headers
    assert age.limited([kept]) == [kept]


def test_the_age_of_the_stream_needs_no_lifetime() -> None:
    def age(days: int | None) -> RawAge | None:
        nats = NatsSettings(max_age_days=30, callbacks_max_age_days=days)
        return raw_age(Settings.model_construct(nats=nats), Subjects())

    assert [age(None), age(30)] == [None, None]
    assert age(7) is not None
