"""Streams: made once, widened, never narrowed, and refused where they contradict."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StorageType, StreamConfig

from receiver.bus.connection import Connection
from receiver.bus.streams import StreamPlan, ensure_stream, plans
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError

HOUR = timedelta(hours=1)


def plan(subjects: Subjects, window: timedelta = HOUR) -> StreamPlan:
    return StreamPlan(subjects.stream, subjects.stored, window)


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


def test_the_window_is_the_longest_horizon_and_half_an_hour() -> None:
    main, _ = plans(Subjects(), [timedelta(hours=2, minutes=30), timedelta(hours=6)])
    assert main.duplicate_window == timedelta(hours=6, minutes=30)


async def test_an_existing_stream_is_widened_and_keeps_what_it_holds(
    client: Client, subjects: Subjects
) -> None:
    jetstream = client.jetstream()
    await jetstream.add_stream(
        StreamConfig(
            name=subjects.stream,
            subjects=[subjects.raw(">"), "mine.too"],
            description="by hand",
            max_age=86400,
            duplicate_window=60,
        )
    )
    await jetstream.publish("mine.too", b"kept")
    await ensure_stream(client, plan(subjects))
    config = await config_of(client, subjects)
    assert set(config.subjects) == {"mine.too", *subjects.stored}
    assert (config.description, config.max_age) == ("by hand", 86400)
    assert (config.duplicate_window, config.allow_atomic) == (3600, True)
    assert (await jetstream.get_msg(subjects.stream, 1)).data == b"kept"
    await ensure_stream(client, plan(subjects, timedelta(minutes=1)))
    assert (await config_of(client, subjects)).duplicate_window == 3600
    await jetstream.delete_stream(subjects.stream)


async def test_processes_that_start_together_agree_on_the_longest_window(
    client: Client, subjects: Subjects
) -> None:
    windows = [HOUR, 2 * HOUR, 3 * HOUR]
    plans_at_once = [plan(subjects, window) for window in windows]
    made = await asyncio.gather(*(ensure_stream(client, one) for one in plans_at_once))
    assert made.count(True) == 1
    await ensure_stream(client, plans_at_once[-1])  # as every look at the stream does
    assert (await config_of(client, subjects)).duplicate_window == 3 * 3600
    await client.jetstream().delete_stream(subjects.stream)


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "memory": ({"storage": StorageType.MEMORY}, "does not store on disk"),
    "work queue": ({"retention": RetentionPolicy.WORK_QUEUE}, "does not keep what was consumed"),
    "no ack": ({"no_ack": True}, "acknowledges nothing"),
    "per subject": ({"max_msgs_per_subject": 1}, "drops the older messages"),
    "small messages": ({"max_msg_size": 1000}, "refuses messages"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_a_stream_that_contradicts_is_refused_and_left_alone(
    client: Client, subjects: Subjects, case: str
) -> None:
    values, reason = CONTRADICTIONS[case]
    jetstream = client.jetstream()
    await jetstream.add_stream(
        StreamConfig(name=subjects.stream, subjects=list(subjects.stored), **values)
    )
    before = await config_of(client, subjects)
    with pytest.raises(ConfigurationError, match=reason):
        await ensure_stream(client, plan(subjects))
    assert await config_of(client, subjects) == before
    await jetstream.delete_stream(subjects.stream)


async def test_subjects_that_another_stream_takes_are_told(
    client: Client, subjects: Subjects
) -> None:
    other = f"OTHER_{subjects.stream}"
    await client.jetstream().add_stream(name=other, subjects=[f"{subjects.root}.>"])
    with pytest.raises(ConfigurationError, match=r"nats\.subject_root"):
        await ensure_stream(client, plan(subjects))
    await client.jetstream().delete_stream(other)


async def test_a_contradiction_stops_the_start(client: Client, subjects: Subjects) -> None:
    await client.jetstream().add_stream(
        name=subjects.stream, subjects=list(subjects.stored), storage=StorageType.MEMORY
    )
    connection = Connection(str(client.connected_url.geturl()), [plan(subjects)])  # type: ignore[union-attr]  # connected
    with pytest.raises(ConfigurationError, match="does not store on disk"):
        await connection.start(patience_s=10)
    assert not connection.ready
    await connection.stop()
    await client.jetstream().delete_stream(subjects.stream)
