"""NATS frozen, killed, away at the start: what was answered 200 is in the stream once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import nats
import pytest
from nats.js import JetStreamContext
from structlog.testing import capture_logs

from receiver.composition.bus import opened_bus
from receiver.composition.receiver import running_receiver
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.supervisor import supervise
from receiver.resilience import supervision
from receiver.settings import Settings
from receiver.testing import eventually
from receiver.web.server import bind
from tests.freezing import freeze

pytestmark = pytest.mark.serial

BODY = '{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1%d","totalAmount":100}}'


@dataclass
class Answer:
    status: int
    word: str
    callback_id: str
    took_s: float


@dataclass
class Receiving:
    """A running receiver, and what it answered."""

    http: httpx2.AsyncClient
    answers: list[Answer] = field(default_factory=list)

    async def post(self, number: int) -> Answer:
        """POST a callback that no other number has."""
        started = time.perf_counter()
        response = await self.http.post("/callbacks/open", content=BODY % number)
        took_s = time.perf_counter() - started
        told = response.json()
        answer = Answer(
            response.status_code, told.get("status", ""), told.get("callback_id", ""), took_s
        )
        self.answers.append(answer)
        return answer

    async def post_all(self, numbers: Iterable[int]) -> list[Answer]:
        """A few at once: senders and receivers share one event loop here, and a slow machine would
        call a larger burst an overload.
        """
        at_once = asyncio.Semaphore(40)

        async def post(number: int) -> Answer:
            async with at_once:
                return await self.post(number)

        return await asyncio.gather(*map(post, numbers))

    @property
    def promised(self) -> list[str]:
        return [answer.callback_id for answer in self.answers if answer.status == 200]

    async def ready(self) -> tuple[int, Any]:
        response = await self.http.get("/readyz")
        return response.status_code, response.json()

    async def drained(self) -> None:
        async def empty() -> bool:
            status, told = await self.ready()
            return bool(status == 200 and "reason" not in told and told["spool"]["depth"] == 0)

        await eventually(empty, within_s=90)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server that a test may freeze and kill."""
    running = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0))
    await running.start()
    yield running
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGCONT)
    await running.stop()


StartReceiver = Callable[..., contextlib.AbstractAsyncContextManager[Receiving]]


@pytest.fixture
def receiver(tmp_path: Path, server: EmbeddedServer) -> StartReceiver:
    """Start a receiver on the server, with its spool in `tmp_path` unless told otherwise.

    A slow disk fails no test: the spool may take as long as it needs.
    """

    @contextlib.asynccontextmanager
    async def start(data_dir: Path = tmp_path, **edge: Any) -> AsyncIterator[Receiving]:
        source = {"name": "open", "dialect": "xport", "verification": "none"}
        settings = Settings.model_validate(
            {
                "nats": {"url": server.url, "data_dir": data_dir},
                "receiver": {"spool_budget_ms": 60_000} | edge,
                "sources": [source],
            }
        )
        limits = httpx2.Limits(max_connections=500)
        async with (
            opened_bus(settings, name="test", patience_s=1) as bus,
            running_receiver(settings, bus, bind("127.0.0.1", 0)) as running,
            httpx2.AsyncClient(base_url=running.url, limits=limits, timeout=90) as http,
        ):
            yield Receiving(http)

    return start


def thaw(server: EmbeddedServer) -> None:
    os.kill(server.pid, signal.SIGCONT)


async def kill(server: EmbeddedServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    await server.wait_dead()


async def stored_ids(server: EmbeddedServer) -> list[str]:
    """The callback ids of the raw messages, as the stream has them in order."""
    client = await nats.connect(server.url)
    try:
        jetstream: JetStreamContext = client.jetstream()
        last = (await jetstream.stream_info("YIZHAN")).state.last_seq
        messages = [await jetstream.get_msg("YIZHAN", seq) for seq in range(1, last + 1)]
    finally:
        await client.close()
    ids = [str((message.headers or {})["Nats-Msg-Id"]) for message in messages]
    assert len(ids) == len(set(ids)), "a message is stored twice"
    assert {f"{one}.0" for one in ids if "." not in one} == {one for one in ids if "." in one}
    return [one for one in ids if "." not in one]


async def test_a_frozen_server_costs_the_budget_once_and_loses_nothing(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    budget_s = 2.0  # so long that only who waits for it needs as long, also on a slow machine
    # A commit is given up after the budget alone: by its default, in less than half of it.
    edge = {"ack_budget_ms": budget_s * 1000, "publish_timeout_s": 3 * budget_s}
    async with receiver(**edge) as receiving:
        await receiving.post_all(range(20))
        await freeze(server.pid)
        first = await receiving.post_all(range(20, 60))
        later = [await receiving.post(number) for number in range(60, 100)]
        status, told = await receiving.ready()
        assert (status, told["spool"]["depth"]) == (200, 80)
        thaw(server)
        await receiving.drained()
    assert {answer.word for answer in first + later} == {"spooled"}
    assert {answer.status for answer in receiving.answers} == {200}
    assert sorted(answer.took_s for answer in later)[len(later) // 2] < budget_s
    ids = await stored_ids(server)
    assert sorted(ids) == sorted(receiving.promised)
    only_spooled = [answer.callback_id for answer in later if answer.took_s < budget_s]
    assert [one for one in ids if one in only_spooled] == only_spooled, "the oldest was not first"


async def test_what_was_under_way_when_the_budget_ended_is_stored_once(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    async with receiver() as receiving:
        await receiving.post(1)
        await freeze(server.pid)
        answer = await receiving.post(2)
        thaw(server)
        await receiving.drained()
        again = await receiving.post(2)
    assert (answer.word, again.word) == ("spooled", "duplicate")
    assert await stored_ids(server) == receiving.promised[:2]


async def test_a_killed_server_loses_nothing(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    async with receiver() as receiving:
        await receiving.post_all(range(20))
        pushing = asyncio.create_task(receiving.post_all(range(20, 120)))
        await kill(server)
        await pushing
        await receiving.post_all(range(120, 140))
        await server.start()
        await receiving.drained()
        assert (await receiving.post(200)).word == "stored"
    assert {answer.status for answer in receiving.answers} == {200}
    assert sorted(await stored_ids(server)) == sorted(receiving.promised)


async def test_a_server_that_goes_again_while_it_is_given_the_spool(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    async with receiver() as receiving:
        await freeze(server.pid)
        await receiving.post_all(range(300))
        thaw(server)
        await kill(server)
        await server.start()
        await freeze(server.pid)
        await receiving.post_all(range(300, 320))
        thaw(server)
        await receiving.drained()
    assert {answer.status for answer in receiving.answers} == {200}
    assert sorted(await stored_ids(server)) == sorted(receiving.promised)


async def test_a_server_that_is_away_at_the_start(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    await kill(server)
    async with receiver() as receiving:
        for number in range(20):
            await receiving.post(number)
        status, told = await receiving.ready()
        assert (status, told["reason"], told["spool"]["depth"]) == (200, "NATS is away", 20)
        metrics = (await receiving.http.get("/metrics")).text.splitlines()
        assert {"yizhan_spool_callbacks 20.0", "yizhan_log_ready 0.0"} <= set(metrics)
        await server.start()
        await receiving.drained()
    assert await stored_ids(server) == receiving.promised
    assert len(receiving.promised) == 20


async def test_a_spool_that_was_left_is_drained_by_the_next_start(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    await kill(server)
    async with receiver() as left:
        await left.post_all(range(20))
    await server.start()
    async with receiver() as receiving:
        await receiving.drained()
    assert sorted(await stored_ids(server)) == sorted(left.promised)


async def test_a_log_that_answers_and_stores_nothing_is_told_and_mended(
    receiver: StartReceiver, server: EmbeddedServer
) -> None:
    async with receiver() as receiving:
        await receiving.post(0)
        # No file may grow beyond this: as with a full disk, the server drops what it cannot store.
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
        for number in range(1, 40):
            await receiving.post(number)
        status, told = await receiving.ready()
        assert (status, told["reason"]) == (
            200,
            "the log answers, and acknowledges nothing in time",
        )
        assert told["spool"]["depth"] > 0
        async with supervision.running(partial(supervise, server), name="watch"):
            await receiving.drained()
            assert (await receiving.post(100)).word == "stored"
    assert {answer.status for answer in receiving.answers} == {200}
    assert sorted(await stored_ids(server)) == sorted(receiving.promised)


async def test_two_receivers_share_a_spool(receiver: StartReceiver, server: EmbeddedServer) -> None:
    async with receiver() as one, receiver() as other:
        await freeze(server.pid)
        await asyncio.gather(one.post_all(range(40)), other.post_all(range(20, 60)))
        assert (await one.ready())[1]["spool"]["depth"] == 60
        thaw(server)
        await one.drained()
        assert (await other.post(200)).status == 200
    answers = one.answers + other.answers
    assert {answer.status for answer in answers} == {200}
    assert sorted(await stored_ids(server)) == sorted({*one.promised, *other.promised})


async def test_a_full_spool_answers_503(receiver: StartReceiver, server: EmbeddedServer) -> None:
    async with receiver(spool_limit_bytes=100_000) as receiving:
        await freeze(server.pid)
        with capture_logs() as logs:
            await receiving.post_all(range(100))
        refused = [answer for answer in receiving.answers if answer.status == 503]
        assert 0 < len(refused) < 100
        assert (await receiving.ready())[0] == 503
        lines = [line["error"] for line in logs if line["event"] == "callback_not_stored"]
        assert len(lines) == len(refused)
        assert "is full (100000 bytes)" in lines[0]
        thaw(server)
        await receiving.drained()
        assert (await receiving.post(200)).word == "stored"
    assert set(receiving.promised) <= set(await stored_ids(server))


async def test_a_spool_that_cannot_be_written_answers_503_and_says_why(
    receiver: StartReceiver, server: EmbeddedServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    async with receiver(data_dir=tmp_path / "file") as receiving:
        assert (await receiving.post(1)).word == "stored"
        await freeze(server.pid)
        with capture_logs() as logs:
            assert (await receiving.post(2)).status == 503
        (error,) = [line["error"] for line in logs if line["event"] == "callback_not_stored"]
        assert "file/spool.sqlite3 fails" in error
        assert "repair the disk" in error
        assert (await receiving.ready())[0] == 503
        thaw(server)
        await eventually(lambda: _answered_200(receiving, 2))
    assert await stored_ids(server) == list(dict.fromkeys(receiving.promised))


async def _answered_200(receiving: Receiving, number: int) -> bool:
    return (await receiving.post(number)).status == 200


async def test_without_a_spool_the_answer_is_503(
    receiver: StartReceiver, server: EmbeddedServer, tmp_path: Path
) -> None:
    async with receiver(spool_limit_bytes=0) as receiving:
        await kill(server)
        assert (await receiving.post(1)).status == 503
        assert (await receiving.ready())[1]["status"] == "not ready"
    assert not (tmp_path / "spool.sqlite3").exists()
