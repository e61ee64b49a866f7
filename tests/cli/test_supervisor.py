"""`receiver.workers`: several processes on one port, all of which keep the promise."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import httpx2
import nats
import pytest

from tests.cli.conftest import Running, Yizhan
from tests.forked import children

TOKEN = "t" * 16
SOURCE = f'[{{"name":"s","dialect":"xport","verification":"path_token","path_token":"{TOKEN}"}}]'
BODY = '{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1%s","totalAmount":100}}'
PATIENCE_S = 60


@dataclass
class Receiver:
    running: Running
    base: str
    nats_url: str

    async def push(self, order_id: str) -> str:
        """The outcome, over a connection of its own, so that any worker may get it."""
        async with httpx2.AsyncClient(base_url=self.base, timeout=60) as http:
            answer = await http.post(f"/callbacks/s/{TOKEN}", content=(BODY % order_id).encode())
        assert answer.status_code == 200
        return str(answer.json()["status"])

    def workers(self) -> list[int]:
        """Their process ids."""
        return children(self.running.process.pid, "receive-worker")


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
async def receiver(yizhan: Yizhan) -> Receiver:
    running = await yizhan.start("receive", YIZHAN_RECEIVER__WORKERS="3", YIZHAN_SOURCES=SOURCE)
    await running.line(lambda line: line.startswith("Ctrl-C"))
    text = "".join(running.lines)
    base = re.findall(r"(http\S+)/healthz", text)[0]
    return Receiver(running, base, (await yizhan.run("url", "--operator")).out.strip())


async def test_all_of_them_serve_and_store_each_callback_once(receiver: Receiver) -> None:
    outcomes = [await receiver.push(str(number % 30 + 1)) for number in range(90)]
    assert sorted(outcomes) == ["duplicate"] * 60 + ["stored"] * 30
    client = await nats.connect(receiver.nats_url)
    subject = "yizhan.callbacks.>"
    info = await client.jetstream().stream_info("YIZHAN", subjects_filter=subject)
    await client.close()
    assert sum((info.state.subjects or {}).values()) == 30
    assert await receiver.running.stop() == 0
    served = set(re.findall(r'"worker":(\d)', "".join(receiver.running.lines)))
    assert served == {"0", "1", "2"}


async def test_a_worker_that_died_is_replaced(receiver: Receiver) -> None:
    before = receiver.workers()
    assert len(before) == 3
    os.kill(before[0], signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while len(after := receiver.workers()) < 3 or before[0] in after:
            await asyncio.sleep(0.02)
    for number in range(20):
        assert await receiver.push(f"after-{number}") == "stored"
    assert await receiver.running.stop() == 0
    assert "worker_died" in "".join(receiver.running.lines)


async def test_all_end_with_a_parent_that_is_killed(receiver: Receiver) -> None:
    workers = receiver.workers()
    receiver.running.process.kill()
    async with asyncio.timeout(PATIENCE_S):
        while any(command_line(pid) for pid in workers):
            await asyncio.sleep(0.02)


async def test_a_second_run_on_the_port_is_refused(yizhan: Yizhan, receiver: Receiver) -> None:
    port = receiver.base.rpartition(":")[2]
    second = await yizhan.run(
        "receive",
        YIZHAN_RECEIVER__WORKERS="2",
        YIZHAN_RECEIVER__PORT=port,
        YIZHAN_NATS__DATA_DIR="other",
        YIZHAN_SOURCES=SOURCE,
    )
    assert (second.code, "yizhan is running here already" in second.err) == (2, True)


async def test_sighup_reaches_every_worker(yizhan: Yizhan) -> None:
    file = yizhan.directory / "yizhan.toml"
    source = '[[sources]]\nname = "%s"\ndialect = "xport"\nverification = "none"\n'
    file.write_text("[receiver]\nworkers = 2\n" + source % "s")
    running = await yizhan.start("receive")
    greeting = await running.line(lambda line: "/healthz" in line)
    base = re.findall(r"(http\S+)/healthz", greeting)[0]
    file.write_text("[receiver]\nworkers = 2\n" + source % "new")
    running.process.send_signal(signal.SIGHUP)
    for _ in range(2):
        await running.line(lambda line: "sources_reloaded" in line)
    for number in range(1, 21):
        async with httpx2.AsyncClient(base_url=base) as http:
            body = (BODY % number).encode()
            assert (await http.post("/callbacks/new", content=body)).status_code == 200
    assert await running.stop() == 0


async def test_up_with_workers_pushes_and_handles(yizhan: Yizhan) -> None:
    running = await yizhan.start(
        "up", "--simulate", "--interval", "0.05", YIZHAN_RECEIVER__WORKERS="2"
    )
    await running.line(lambda line: "event_handled" in line)
    assert await running.stop(signal.SIGINT) == 0


async def test_a_mistake_that_only_workers_find_ends_with_2(yizhan: Yizhan) -> None:
    ended = await yizhan.run(
        "receive",
        YIZHAN_RECEIVER__WORKERS="2",
        YIZHAN_SOURCES=SOURCE,
        YIZHAN_RECEIVER__TLS_CERT_FILE="none.pem",
        YIZHAN_RECEIVER__TLS_KEY_FILE="none.key",
    )
    assert (ended.code, "no such file" in ended.err, "Traceback" in ended.err) == (2, True, False)
