"""One server of three is lost while callbacks come in: each that got 200 is stored once."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from tests.bus.cluster import running_cluster
from tests.cli.conftest import Yizhan
from tests.freezing import freeze

pytestmark = pytest.mark.serial

T = TypeVar("T")
Lose = Callable[[asyncio.subprocess.Process], Awaitable[None]]
TOKEN = "t" * 16
SOURCE = f'[{{"name":"s","dialect":"xport","verification":"path_token","path_token":"{TOKEN}"}}]'
BODY = '{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1%d","totalAmount":100}}'


async def push(http: httpx2.AsyncClient, number: int) -> str:
    """The id of a callback that was answered 200."""
    answer = await http.post(f"/callbacks/s/{TOKEN}", content=(BODY % number).encode())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["callback_id"])


async def spool_is_empty(http: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            told = (await http.get("/readyz")).json()
            if "reason" not in told and told["spool"]["depth"] == 0:
                return
            await asyncio.sleep(0.1)


async def stored_ids(url: str) -> Counter[str]:
    """How often each message id of the stream is there."""
    connection, subjects = Connection(url, ()), Subjects()
    assert await connection.start(patience_s=20)
    jetstream = connection.jetstream
    state = (await patiently(lambda: jetstream.stream_info(subjects.stream))).state
    found = Counter[str]()
    for seq in range(state.first_seq, state.last_seq + 1):
        get = partial(jetstream.get_msg, subjects.stream, seq)
        headers = (await patiently(get)).headers
        found[(headers or {})["Nats-Msg-Id"]] += 1
    await connection.stop()
    return found


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Nobody answers while a leader is being elected, or where a frozen server was asked."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(NatsError):
                return await ask()


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def stop(process: asyncio.subprocess.Process) -> None:
    await freeze(process.pid)


@pytest.mark.parametrize("lose", [kill, stop], ids=["killed", "frozen"])
async def test_the_leader_of_the_stream_is_lost(yizhan: Yizhan, tmp_path: Path, lose: Lose) -> None:
    async with running_cluster(tmp_path) as cluster:
        running = await yizhan.start(
            "receive",
            YIZHAN_NATS__URL=cluster.url,
            YIZHAN_NATS__REPLICAS="3",
            YIZHAN_SOURCES=SOURCE,
        )
        greeting = await running.line(lambda line: "/healthz" in line)
        base = re.findall(r"(http\S+)/healthz", greeting)[0]
        async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
            acknowledged = [await push(http, number) for number in range(20)]
            leader = await cluster.leader_of("YIZHAN")
            await lose(cluster.processes[leader])
            acknowledged += [await push(http, number) for number in range(20, 60)]
            await spool_is_empty(http)
        assert await running.stop() == 0
        left = ",".join(url for name, url in cluster.urls.items() if name != leader)
        found = await stored_ids(left)
        expected = {i for callback in acknowledged for i in (callback, f"{callback}.0")}
        assert found == dict.fromkeys(expected, 1)
