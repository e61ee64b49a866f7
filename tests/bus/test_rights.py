"""Each right that is missing is found, by a probe that changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.audit_stream import audit_rights
from receiver.bus.connection import Connection
from receiver.bus.consumers import GROUP, ConsumerPlan, ensure_consumer
from receiver.bus.jetstream_api import call
from receiver.bus.read.pull_request import PullRequest
from receiver.bus.rights import (
    Right,
    caller_rights,
    denied,
    handler_rights,
    looking_rights,
    reader_rights,
    stream_rights,
)
from receiver.bus.runs_stream import ensure_runs_stream, runs_rights
from receiver.bus.state.rights import state_rights
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from tests.bus.plain_server import plain_server

SUBJECTS = Subjects()
PLAN = ConsumerPlan(SUBJECTS.stream, "handler-slow", [SUBJECTS.all_events])
RIGHTS = (
    *stream_rights(SUBJECTS),
    *reader_rights(SUBJECTS),
    *handler_rights(SUBJECTS, [PLAN]),
    *caller_rights(SUBJECTS),
    *runs_rights(SUBJECTS),
    *audit_rights(SUBJECTS),
    *state_rights(SUBJECTS),
    *looking_rights(),
)
ROWS = {f"{right.verb} {right.allow}": right for right in reversed(RIGHTS)}


def user(number: int, right: Right) -> dict[str, Any]:
    """One that may do everything but what `right` is for."""
    others = {"publish": {"allow": ">"}, "subscribe": {"allow": ">"}}
    others[right.verb]["deny"] = right.allow
    return {"user": f"u{number}", "password": "p", "permissions": others}


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A server with a user for each row, and one called `all` that lacks nothing."""
    users = [user(number, right) for number, right in enumerate(ROWS.values())]
    users.append({"user": "all", "password": "p"})
    directory: Path = tmp_path_factory.mktemp("rights")
    async with plain_server(directory, f"authorization {json.dumps({'users': users})}") as found:
        yield found


async def opened(address: str, name: str) -> Connection:
    connection = Connection(f"nats://{name}:p@{address}", ())
    assert await connection.start(patience_s=30)
    return connection


@pytest.mark.parametrize("row", ROWS)
async def test_the_one_right_that_is_missing_is_found(address: str, row: str) -> None:
    right = ROWS[row]
    connection = await opened(address, f"u{list(ROWS).index(row)}")
    missing = await connection.missing(connection.client, RIGHTS)
    refusal = connection.refusal
    await connection.stop()
    assert list(missing) == [right]
    assert f'allow our user to {right.verb} to "{right.allow}"' in missing[0].sentence
    assert refusal == ""


async def test_who_lacks_nothing_misses_nothing_and_the_probe_changes_nothing(address: str) -> None:
    url = f"nats://all:p@{address}"
    connection = Connection(url, plans(SUBJECTS, []), rights=RIGHTS)
    assert await connection.start(patience_s=30)
    client = connection.client
    await ensure_consumer(client, PLAN)
    await client.jetstream().publish(f"{SUBJECTS.root}.in.events.1688.order.closed.1", b"{}")
    pulled = PullRequest(1, expires_s=60, heartbeat_s=20, group=GROUP)
    inbox = await client.subscribe("held")
    await client.publish(pulled.subject(PLAN.stream, PLAN.durable), pulled.body(), reply="held")
    await inbox.next_msg(timeout=60)
    paused = ConsumerPlan(PLAN.stream, "handler-paused", PLAN.filter_subjects)
    await ensure_consumer(client, paused)
    pause = f"CONSUMER.PAUSE.{paused.stream}.{paused.durable}"
    assert (await call(client, pause, {"pause_until": "2099-01-01T00:00:00Z"}))["paused"]
    before = await everything(client)
    of_paused = handler_rights(SUBJECTS, [paused])
    missing = await connection.missing(client, (*RIGHTS, *of_paused))
    after = await everything(client)
    await connection.stop()
    assert (missing, after) == ([], before)
    assert sum(consumer["num_ack_pending"] for consumer in after["consumers"]) == 1


async def everything(client: Client) -> dict[str, Any]:
    """What the server says of the streams, their messages, and the consumers."""
    streams = json.loads((await client.request("$JS.API.STREAM.LIST", b"{}", timeout=60)).data)
    subject = f"$JS.API.CONSUMER.LIST.{SUBJECTS.stream}"
    consumers = json.loads((await client.request(subject, b"{}", timeout=60)).data)
    found = {
        "streams": [{k: s[k] for k in ("config", "state")} for s in streams["streams"]],
        "consumers": consumers["consumers"],
    }
    for consumer in found["consumers"]:
        consumer.pop("ts", None)
        consumer.pop("pause_remaining", None)
    return found


def test_a_refusal_that_no_right_explains_is_given_in_the_server_s_words() -> None:
    words = 'permissions violation for publish to "$js.api.meta.leader.stepdown"'
    assert f"NATS refuses: {words}: give our user" in str(denied(words, RIGHTS))


async def test_whether_records_of_runs_are_taken_is_seen_at_once(address: str) -> None:
    row = list(ROWS).index(f"publish {SUBJECTS.all_runs}")
    connection = await opened(address, f"u{row}")
    with pytest.raises(BusError, match=r"nothing takes yizhan\.runs\.>.*allow our user to publish"):
        await ensure_runs_stream(connection.client, SUBJECTS)
    await connection.stop()
