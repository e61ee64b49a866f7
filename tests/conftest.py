"""Real parts for every test: one nats-server a session, a fresh subject root a test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import nats
import pytest
import structlog
from hypothesis import HealthCheck, settings
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig

pytest_plugins = ["tests.hanging"]

settings.register_profile(
    "tests", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")  # a slow machine is no failure; `make fuzz` tries a million


def pytest_configure() -> None:
    """Let no client read the machine's authorities: each would, for longer than its test takes."""
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)  # none is here


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real nats-server of this session; it syncs lazily, since no test pulls the plug."""
    data_dir: Path = tmp_path_factory.mktemp("nats")
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=data_dir, port=0, sync_always=False))
    with asyncio.Runner() as runner:
        runner.run(server.start())
        yield server.url
        runner.run(server.stop())


@pytest.fixture(autouse=True)
def logs_end_with_their_test() -> Iterator[None]:
    """What sets logs up would keep later loggers from `capture_logs`."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture
def subjects() -> Subjects:
    """Names below a root that no other test uses."""
    return Subjects(f"t{secrets.token_hex(6)}")


@pytest.fixture
async def connection(nats_url: str, subjects: Subjects) -> AsyncIterator[Connection]:
    """A started connection with its streams; they are deleted afterwards."""
    opened = Connection(nats_url, plans(subjects, [timedelta(hours=2, minutes=30)]))
    assert await opened.start(patience_s=10)
    yield opened
    jetstream = opened.jetstream
    for stream in (subjects.stream, subjects.dead_stream):
        await jetstream.delete_stream(stream)
    others = (subjects.runs_stream, subjects.state_stream, subjects.audit_stream)
    for stream in (*others, subjects.metrics_stream):
        with contextlib.suppress(NotFoundError):  # no handler ran, no operator acted
            await jetstream.delete_stream(stream)
    await opened.stop()


@pytest.fixture
async def publisher(connection: Connection) -> AsyncIterator[GroupCommitPublisher]:
    """The publisher of a real receiver, with more patience for a slow machine."""
    running = GroupCommitPublisher(connection, timeout_s=10)
    yield running
    await running.stop()


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    """A plain nats-py client, as a subscriber has it."""
    opened = await nats.connect(nats_url)
    yield opened
    await opened.close()
