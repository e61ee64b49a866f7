"""The examples of `examples/`, each as a process of its own against a real server.

It is an embedded one that asks for a user, and they come with a subscriber's rights.

The Node example runs where Node and `npm install` are, the one for FastStream where it is
installed; elsewhere they skip and say so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.subjects import Subjects
from receiver.contract.catalogue import example_event
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from schemas.events import LogisticsShipped, UnknownReceived

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Example:
    """How to start an example, and the line it prints for a shipment (`{id}` is the event's)."""

    name: str
    command: tuple[str, ...]
    durable: str
    line: str
    missing: str = ""


def node_is_missing() -> str:
    """Why the Node example cannot run here; empty where it can."""
    if os.environ.get("CI"):
        return "the Node example is not run in CI"
    if shutil.which("node") is None:
        return "node is not installed"
    installed = (EXAMPLES / "node_modules" / "@nats-io" / "jetstream").is_dir()
    return "" if installed else "run `npm install` in examples first"


ORDER_ID = example_event(LogisticsShipped).data.order_id
EACH_EXAMPLE = pytest.mark.parametrize(
    "example",
    [
        Example(
            "python",
            (sys.executable, str(EXAMPLES / "subscriber.py")),
            "example-python",
            f"{{id}} logistics.shipped {ORDER_ID}",
        ),
        Example(
            "faststream",
            (sys.executable, str(EXAMPLES / "faststream_subscriber.py")),
            "example-faststream",
            f"{ORDER_ID} shipped with {{id}}: 75800012345678",
            "" if find_spec("faststream") else "faststream is not installed",
        ),
        Example(
            "node",
            (shutil.which("node") or "node", str(EXAMPLES / "subscriber.mjs")),
            "example-node",
            f"{{id}} yizhan.logistics.shipped.v1 {ORDER_ID}",
            node_is_missing(),
        ),
    ],
    ids=lambda example: example.name,
)
Publish = Callable[[str], Awaitable[None]]


@pytest.fixture
async def server(tmp_path: Path, subjects: Subjects) -> AsyncIterator[EmbeddedServer]:
    config = EmbeddedServerConfig(tmp_path, port=0, secured=True, subject_root=subjects.root)
    async with EmbeddedServer(config) as running:
        yield running


@pytest.fixture
def nats_url(server: EmbeddedServer) -> str:
    """In place of the server of the session."""
    return server.url


@pytest.fixture
def publish(publisher: JetStreamPublisher, subjects: Subjects) -> Publish:
    """Stores a shipment under an id, and an event of another type beside it."""

    async def store(event_id: str) -> None:
        shipped = example_event(LogisticsShipped)
        parcel = LogisticsShipped.model_validate(shipped.data.model_dump()).parcels[0]
        marked = parcel.model_copy(update={"carrier": event_id})
        data = shipped.data.model_copy(update={"parcels": (marked,)})
        other = replace(example_event(UnknownReceived), id=uuid4().hex)
        events = (other, replace(shipped, id=event_id, data=data))
        await publisher.publish([encode_event(event, subjects) for event in events])

    return store


@asynccontextmanager
async def running(example: Example, nats_url: str, subjects: Subjects) -> AsyncIterator[Process]:
    """The example as a process; it is interrupted at the end and must stop by itself."""
    environ = {**os.environ, "NATS_URL": nats_url, "SUBJECT_ROOT": subjects.root}
    environ["PYTHONPATH"] = str(ROOT)
    process = await asyncio.create_subprocess_exec(
        *example.command, stdout=PIPE, stderr=PIPE, env=environ
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        assert process.returncode == 0, errors.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def lines_until(process: Process, words: str) -> list[str]:
    """The lines of output up to the one that holds `words`, and that one."""
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while line := (await process.stdout.readline()).decode():
            lines.append(line.strip())
            if words in line:
                return lines
    assert process.stderr is not None
    raise AssertionError((await process.stderr.read()).decode())


async def all_acknowledged(connection: Connection, stream: str, durable: str) -> None:
    """Return once the durable has nothing left to deliver or to acknowledge."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            info = await connection.jetstream.consumer_info(stream, durable)
            if info.num_pending == 0 and info.num_ack_pending == 0:
                return
            await asyncio.sleep(0.02)


@EACH_EXAMPLE
async def test_an_example_goes_on_where_it_stopped(
    example: Example,
    server: EmbeddedServer,
    subjects: Subjects,
    connection: Connection,
    publish: Publish,
) -> None:
    if example.missing:
        pytest.skip(example.missing)
    assert server.urls is not None
    await publish("first")
    async with running(example, server.urls.subscriber, subjects) as process:
        lines = await lines_until(process, "first")
        assert lines[-1] == example.line.format(id="first")
        await all_acknowledged(connection, subjects.stream, example.durable)
    await publish("second")
    async with running(example, server.urls.subscriber, subjects) as process:
        lines = await lines_until(process, "second")
        assert not any("first" in line for line in lines)
        await all_acknowledged(connection, subjects.stream, example.durable)
