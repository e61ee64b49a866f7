"""An operator's place with a handler that fails on one kind of order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from receiver.bus.subjects import Subjects
from tests.cli.conftest import Yizhan
from tests.cli.test_check_and_up import SOURCE
from tests.cli.test_handlers import Desk

BROKEN = """from pathlib import Path

from receiver.worker.retry_policy import RetryPolicy
from schemas.events import OrderClosed
from yizhan import Context, Event, Router

router = Router()


@router.on(OrderClosed, start="all", retry=RetryPolicy(max_attempts=1))
async def slow(event: Event[OrderClosed], ctx: Context) -> None:
    if event.order_id.startswith("presale"):
        raise KeyError("deposit")
    with Path("handled").open("a") as file:
        file.write(f"{event.order_id}\\n")
"""
CORRECTED = BROKEN.replace('raise KeyError("deposit")', "pass")


@pytest.fixture
async def desk(
    yizhan: Yizhan, nats_url: str, client: Client, subjects: Subjects
) -> AsyncIterator[Desk]:
    (yizhan.directory / "my.py").write_text(BROKEN)
    file = yizhan.directory / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["my:router"]\n')
    file.chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    yield Desk(yizhan, environ, client, subjects)
    for stream in (subjects.stream, subjects.dead_stream, subjects.audit_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)
