"""Consumers that somebody else made: brought up to date, or refused with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan, consumer_info, ensure_consumer
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError

SECOND = 1_000_000_000


async def made(client: Client, plan: ConsumerPlan, **values: Any) -> None:
    """A consumer of the plan's name, with `values` beside what a pull consumer needs."""
    config = {
        "durable_name": plan.durable,
        "name": plan.durable,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "replay_policy": "instant",
        **values,
    }
    body = {"stream_name": plan.stream, "action": "create", "config": config}
    subject = f"$JS.API.CONSUMER.CREATE.{plan.stream}.{plan.durable}"
    reply = json.loads((await client.request(subject, json.dumps(body).encode())).data)
    assert "error" not in reply, reply


@pytest.fixture
def plan(connection: Connection, subjects: Subjects) -> ConsumerPlan:
    return ConsumerPlan(connection.stream, "handler-slow", [subjects.all_events])


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "max_batch": ({"max_batch": 1}, "max_batch"),
    "max_expires": ({"max_expires": SECOND}, "max_expires"),
    "max_bytes": ({"max_bytes": 1024}, "max_bytes"),
    "groups": ({"priority_policy": "overflow", "priority_groups": ["g"]}, "priority_groups"),
    "max_waiting": ({"max_waiting": 1}, "max_waiting"),
    "idle": ({"inactive_threshold": 60 * SECOND}, "inactive_threshold"),
    "memory": ({"mem_storage": True}, "mem_storage"),
    "pace": ({"replay_policy": "original"}, "replay_policy"),
    "push": ({"deliver_subject": "somewhere"}, "pushes"),
    "no acks": ({"ack_policy": "none"}, "acknowledged"),
    "no bodies": ({"headers_only": True}, "bodies"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
async def test_a_consumer_that_contradicts_is_refused_with_the_reason(
    client: Client, plan: ConsumerPlan, case: str
) -> None:
    values, reason = CONTRADICTIONS[case]
    await made(client, plan, **values)
    with pytest.raises(ConfigurationError, match=reason):
        await ensure_consumer(client, plan)


async def test_a_backoff_is_taken_away_since_a_run_would_begin_beside_itself(
    client: Client, plan: ConsumerPlan
) -> None:
    await made(client, plan, max_deliver=5, backoff=[SECOND, 5 * SECOND, 30 * SECOND])
    await ensure_consumer(client, plan)
    info = await consumer_info(client, plan.stream, plan.durable)
    assert info is not None
    assert (info["config"].get("backoff"), info["config"]["ack_wait"]) == (None, 30 * SECOND)


async def test_a_pause_is_told_and_left_as_it_is(client: Client, plan: ConsumerPlan) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    await made(client, plan, pause_until=until.isoformat())
    told = await ensure_consumer(client, plan)
    assert "handler-slow is paused until" in told
    info = await consumer_info(client, plan.stream, plan.durable)
    assert info is not None
    assert info["paused"]


async def test_a_consumer_of_our_own_is_as_it_was_made(client: Client, plan: ConsumerPlan) -> None:
    assert await ensure_consumer(client, plan) == ""
    before = await consumer_info(client, plan.stream, plan.durable)
    assert await ensure_consumer(client, plan) == ""
    after = await consumer_info(client, plan.stream, plan.durable)
    assert before is not None
    assert after is not None
    assert after["config"] == before["config"]
