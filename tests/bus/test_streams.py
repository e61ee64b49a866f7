"""Streams: made once, brought up to date, never narrowed, and refused where they contradict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import (
    DiscardPolicy,
    PersistMode,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamConsumerLimits,
    StreamSource,
    SubjectTransform,
)
from nats.js.errors import ServerError

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID
from receiver.bus.stream_plan import StreamPlan, plans
from receiver.bus.streams import ensure_stream
from receiver.bus.subjects import Subjects, input_subject, overlap
from receiver.errors import ConfigurationError

HOUR = timedelta(hours=1)
ByHand = Callable[..., Awaitable[None]]


def plan(subjects: Subjects, window: timedelta = HOUR) -> StreamPlan:
    return replace(plans(subjects, ())[0], duplicate_window=window)


@pytest.fixture
async def by_hand(client: Client, subjects: Subjects) -> AsyncIterator[ByHand]:
    """Makes the stream as somebody else would have; it is deleted afterwards."""
    made: list[str] = []

    async def make(**values: Any) -> None:
        config = {"name": subjects.stream, "subjects": [subjects.all_input], **values}
        await client.jetstream().add_stream(StreamConfig(**config))
        made.append(config["name"])

    yield make
    for name in made:
        await client.jetstream().delete_stream(name)


async def config_of(client: Client, subjects: Subjects) -> Any:
    return (await client.jetstream().stream_info(subjects.stream)).config


async def test_a_new_stream_is_what_the_design_says(
    connection: Connection, client: Client, subjects: Subjects
) -> None:
    config = await config_of(client, subjects)
    assert config.storage == StorageType.FILE
    assert config.retention == RetentionPolicy.LIMITS
    assert config.max_age == 90 * 86400
    assert config.duplicate_window == 3 * 3600
    flags = (config.allow_atomic, config.allow_direct, config.allow_msg_ttl)
    assert (*flags, config.allow_msg_schedules) == (True, True, True, True)
    root = subjects.root
    assert config.subjects == [f"{root}.in.>"]
    assert config.subject_transform == SubjectTransform(src=f"{root}.in.>", dest=f"{root}.>")
    assert config.republish == RePublish(src=f"{root}.events.>", dest=f"{root}.events.>")


def test_the_window_is_the_longest_horizon_and_half_an_hour() -> None:
    main, _ = plans(Subjects(), [timedelta(hours=2, minutes=30), timedelta(hours=6)])
    assert main.duplicate_window == timedelta(hours=6, minutes=30)


async def test_an_existing_stream_is_widened_and_keeps_what_it_holds(
    client: Client, subjects: Subjects, by_hand: ByHand
) -> None:
    jetstream = client.jetstream()
    await by_hand(
        subjects=["mine.too"], description="by hand", max_age=100 * 86400, duplicate_window=60
    )
    await jetstream.publish("mine.too", b"kept")
    await ensure_stream(client, plan(subjects))
    config = await config_of(client, subjects)
    assert set(config.subjects) == {"mine.too", subjects.all_input}
    assert (config.description, config.max_age) == ("by hand", 100 * 86400)
    assert (config.duplicate_window, config.allow_atomic) == (3600, True)
    assert (await jetstream.get_msg(subjects.stream, 1)).data == b"kept"
    await ensure_stream(client, plan(subjects, timedelta(minutes=1)))
    assert (await config_of(client, subjects)).duplicate_window == 3600


OF_VERSION_0_1 = ("callbacks", "quarantine", "events", "nonces")


async def test_a_stream_of_version_0_1_is_updated_and_keeps_its_messages_and_ids(
    client: Client, subjects: Subjects, by_hand: ByHand
) -> None:
    jetstream = client.jetstream()
    stored = subjects.event("1688", "order.created", "1")
    await by_hand(subjects=[f"{subjects.root}.{kind}.>" for kind in OF_VERSION_0_1])
    await jetstream.publish(stored, b"old", headers={MSG_ID: "e1"})
    await ensure_stream(client, plan(subjects))
    assert (await config_of(client, subjects)).subjects == [subjects.all_input]
    again = await jetstream.publish(input_subject(stored), b"new", headers={MSG_ID: "e1"})
    assert (again.seq, again.duplicate) == (1, True)
    assert (await jetstream.get_msg(subjects.stream, 1)).subject == stored


async def test_a_receiver_of_version_0_1_cannot_change_the_stream_back(
    client: Client, subjects: Subjects, by_hand: ByHand
) -> None:
    await by_hand()
    await ensure_stream(client, plan(subjects))
    config = await config_of(client, subjects)
    config.subjects = [*config.subjects, *(f"{subjects.root}.{k}.>" for k in OF_VERSION_0_1)]
    with pytest.raises(ServerError, match="cycle"):
        await client.jetstream().update_stream(config)


async def test_processes_that_start_together_agree_on_the_longest_window(
    client: Client, subjects: Subjects
) -> None:
    windows = [HOUR, 2 * HOUR, 3 * HOUR]
    plans_at_once = [plan(subjects, window) for window in windows]
    made = await asyncio.gather(*(ensure_stream(client, one) for one in plans_at_once))
    assert [state.created for state in made].count(True) == 1
    await ensure_stream(client, plans_at_once[-1])  # as every look at the stream does
    assert (await config_of(client, subjects)).duplicate_window == 3 * 3600
    await client.jetstream().delete_stream(subjects.stream)


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "memory": ({"storage": StorageType.MEMORY}, "does not store on disk"),
    "work queue": ({"retention": RetentionPolicy.WORK_QUEUE}, "does not keep what was consumed"),
    "no ack": ({"no_ack": True}, "acknowledges nothing"),
    "per subject": ({"max_msgs_per_subject": 1}, "drops the older messages"),
    "small messages": ({"max_msg_size": 1000}, "refuses messages"),
    "few messages": ({"max_msgs": 5}, "keeps 5 messages and drops older ones"),
    "few bytes": (
        {"max_bytes": 10**6},
        r"set nats\.max_bytes to 1000000, or run `yizhan retention",
    ),
    "a short age": ({"max_age": 3600, "duplicate_window": 60}, "drops messages after 1:00:00"),
    "a shorter age": ({"max_age": 86400 * 7}, r"set nats\.max_age_days to 7, or run `yizhan ret"),
    "discard new": ({"discard": DiscardPolicy.NEW}, "discard new"),
    "interest": ({"retention": RetentionPolicy.INTEREST}, "does not keep what was consumed"),
    "late writes": ({"persist_mode": PersistMode.ASYNC}, "persist_mode"),
    "counter": ({"allow_msg_counter": True}, "takes numbers alone"),
    "copies": ({"sources": [StreamSource(name="NONE")]}, "copies the messages of other streams"),
    "idle consumers": (
        {"consumer_limits": StreamConsumerLimits(inactive_threshold=60)},
        "deletes consumers that are not in use",
    ),
    "another transform": (
        {"subject_transform": SubjectTransform(src="ROOT.in.>", dest="elsewhere.>")},
        "subject_transform",
    ),
    "another republish": ({"republish": RePublish(src=">", dest="copies.>")}, "republish"),
    "all of the root": ({"subjects": ["ROOT.>"]}, "overlaps"),
    "all events, too": ({"subjects": ["ROOT.in.>", "ROOT.events.1688.>"]}, "overlaps"),
}


def below(root: str, value: Any) -> Any:
    if isinstance(value, list):
        return [s.replace("ROOT", root) if isinstance(s, str) else s for s in value]
    if isinstance(value, SubjectTransform):
        return replace(value, src=value.src.replace("ROOT", root))
    return value


@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_a_stream_that_contradicts_is_refused_and_left_alone(
    client: Client, subjects: Subjects, by_hand: ByHand, case: str
) -> None:
    values, reason = CONTRADICTIONS[case]
    await by_hand(**{name: below(subjects.root, value) for name, value in values.items()})
    before = await config_of(client, subjects)
    with pytest.raises(ConfigurationError, match=reason):
        await ensure_stream(client, plan(subjects))
    assert await config_of(client, subjects) == before


async def test_subjects_that_another_stream_takes_are_reported(
    client: Client, subjects: Subjects
) -> None:
    other = f"OTHER_{subjects.stream}"
    await client.jetstream().add_stream(name=other, subjects=[f"{subjects.root}.>"])
    with pytest.raises(ConfigurationError, match=r"nats\.subject_root"):
        await ensure_stream(client, plan(subjects))
    await client.jetstream().delete_stream(other)


async def test_a_contradiction_stops_the_start(
    client: Client, subjects: Subjects, by_hand: ByHand
) -> None:
    await by_hand(storage=StorageType.MEMORY)
    connection = Connection(str(client.connected_url.geturl()), [plan(subjects)])  # type: ignore[union-attr]  # connected
    with pytest.raises(ConfigurationError, match="does not store on disk"):
        await connection.start(patience_s=10)
    assert not connection.ready
    await connection.stop()


async def test_another_stream_may_store_a_copy_of_the_events(
    client: Client, subjects: Subjects, by_hand: ByHand
) -> None:
    await by_hand(name=f"COPY_{subjects.stream}", subjects=[subjects.all_events])
    assert (await ensure_stream(client, plan(subjects))).created
    await client.jetstream().delete_stream(subjects.stream)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.*", "a.c", True),
        ("a.*", "*.c", True),
        ("a.*.d", "a.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("a.b.>", "a.>", True),
        ("b.>", "a.>", False),
    ],
)
def test_subjects_overlap_where_one_subject_matches_both(
    one: str, other: str, *, expected: bool
) -> None:
    assert (overlap(one, other), overlap(other, one)) == (expected, expected)
