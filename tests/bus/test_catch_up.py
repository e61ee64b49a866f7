"""Catching up with a filter of one subject: what comes on the others meanwhile is not passed by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from receiver.bus.catch_up import narrow
from receiver.bus.connection import Connection
from receiver.bus.consumers import GROUP, ConsumerPlan, consumer_info, ensure_consumer
from receiver.bus.jetstream_api import call
from receiver.bus.read.pull_request import PIN, PullRequest
from receiver.bus.subjects import Subjects, input_subject

BACKLOG = 2_100
TYPE = "payment.succeeded"


@pytest.fixture
def plan(connection: Connection, subjects: Subjects) -> ConsumerPlan:
    due = subjects.all_due("slow")
    return ConsumerPlan(
        connection.stream,
        "handler-slow",
        [subjects.events_of_type(TYPE), due],
        rare_subjects=[due],
    )


class Puller:
    """Pulls from a durable as its pinned client, and acknowledges."""

    def __init__(self, client: Client, plan: ConsumerPlan) -> None:
        self._client = client
        self._plan = plan
        self._pin = ""

    async def pull(self, batch: int) -> list[str]:
        """The subjects of the next messages, without the number of the order."""
        inbox = self._client.new_inbox()
        got: list[Msg] = []
        subscription = await self._client.subscribe(inbox)
        request = PullRequest(batch, expires_s=2, heartbeat_s=1, group=GROUP, pin=self._pin)
        subject = request.subject(self._plan.stream, self._plan.durable)
        await self._client.publish(subject, request.body(), reply=inbox)
        while len(got) < batch:
            message = await subscription.next_msg(timeout=60)
            headers = message.headers or {}
            if "Status" not in headers:
                self._pin = headers[PIN]
                await message.ack()
                got.append(message)
            elif headers["Status"] != "100":
                break
        await subscription.unsubscribe()
        return [message.subject.split(".")[1] for message in got]


async def store(client: Client, subjects: Sequence[str]) -> None:
    for subject in subjects[:-1]:
        await client.publish(input_subject(subject), b"{}")
    await client.request(input_subject(subjects[-1]), b"{}", 60)


def events(subjects: Subjects, number: int) -> list[str]:
    return [subjects.event("1688", TYPE, str(n)) for n in range(number)]


async def filter_of(client: Client, plan: ConsumerPlan) -> Any:
    info = await consumer_info(client, plan.stream, plan.durable)
    assert info is not None
    return info["config"]["filter_subjects"]


async def test_far_behind_only_what_comes_often_is_read_until_shortly_before_the_end(
    client: Client, plan: ConsumerPlan, subjects: Subjects
) -> None:
    await ensure_consumer(client, plan)
    await store(client, events(subjects, BACKLOG))
    puller, room = Puller(client, plan), await narrow(client, plan)
    assert await filter_of(client, plan) == [subjects.events_of_type(TYPE)]
    assert room == BACKLOG - 1_000
    await store(client, [subjects.due("slow", "1688", "7")])
    assert await puller.pull(room) == ["events"] * room
    await ensure_consumer(client, plan)
    assert await filter_of(client, plan) == sorted(plan.filter_subjects)
    assert await narrow(client, plan) is None
    assert await puller.pull(1_001) == ["events"] * 1_000 + ["due"]


async def test_with_something_rare_left_nothing_is_left_out(
    client: Client, plan: ConsumerPlan, subjects: Subjects
) -> None:
    await ensure_consumer(client, plan)
    await store(client, [*events(subjects, BACKLOG), subjects.due("slow", "1688", "7")])
    assert await narrow(client, plan) is None
    assert await filter_of(client, plan) == sorted(plan.filter_subjects)


async def test_what_was_passed_by_since_messages_were_removed_is_gone_back_to(
    client: Client, plan: ConsumerPlan, subjects: Subjects
) -> None:
    await ensure_consumer(client, plan)
    await store(client, events(subjects, BACKLOG))
    assert await narrow(client, plan) is not None
    await call(client, f"STREAM.PURGE.{plan.stream}", {})
    due = subjects.due("slow", "1688", "7")
    await store(client, [due, *events(subjects, 1)])
    puller = Puller(client, plan)
    assert await puller.pull(1) == ["events"]
    await ensure_consumer(client, plan)
    assert await puller.pull(2) == ["due", "events"]
