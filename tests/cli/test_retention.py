"""`yizhan retention apply`: bounds of existing streams change by it alone, after it said so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from receiver.bus.stream_plan import StreamPlan, plans
from receiver.bus.subjects import Subjects
from tests.bus.plain_server import plain_server
from tests.cli.conftest import Yizhan
from tests.cli.test_check_and_up import connected

BODY = bytes(100_000)
LEAST = 16 * 1024 * 1024


async def filled(url: str, subjects: Subjects, count: int) -> Client:
    """A client of a server whose streams were made without bounds, the first with messages."""
    client = await connected(url)
    for plan in plans(subjects, [timedelta(hours=1)], max_age=timedelta(0)):
        await client.jetstream().add_stream(StreamConfig(**kept(plan)))
    for _ in range(count):
        await client.jetstream().publish(f"{subjects.root}.in.callbacks.s", BODY, timeout=60)
    return client


def kept(plan: StreamPlan) -> dict[str, Any]:
    return {"name": plan.name, "subjects": list(plan.subjects), "duplicate_window": 60}


async def bounds(client: Client, subjects: Subjects) -> tuple[float, int, int]:
    info = await client.jetstream().stream_info(subjects.stream)
    return info.config.max_age or 0, info.config.max_bytes or -1, info.state.messages


@pytest.mark.parametrize("yes", [True, False])
async def test_lowering_prints_what_would_go_and_asks(
    yizhan: Yizhan, tmp_path: Path, yes: bool
) -> None:
    subjects = Subjects()
    async with plain_server(tmp_path, "") as address:
        client = await filled(f"nats://{address}", subjects, 200)
        environ = {
            "YIZHAN_NATS__URL": f"nats://{address}",
            "YIZHAN_NATS__MAX_BYTES": str(LEAST),
            "YIZHAN_NATS__MAX_AGE_DAYS": "7",
        }
        ended = await yizhan.run(
            "retention", "apply", *(["--yes"] if yes else []), within_s=90, **environ
        )
        age, limit_bytes, messages = await bounds(client, subjects)
        audit = await yizhan.run("audit", within_s=90, **environ)
        await client.close()
    assert "keeps messages for ever, and would keep messages for 7 days, at most" in ended.out
    assert "bytes would go" in ended.out
    acts = audit.out.splitlines()
    if yes:
        assert ["retention-apply" in act and act.endswith(": done") for act in acts] == [True, True]
        assert (ended.code, age, limit_bytes) == (0, 7 * 86400, LEAST)
        assert messages < 200
    else:
        assert acts == ["no act is recorded"]
        assert (ended.code, age, limit_bytes, messages) == (1, 0, -1, 200)


async def test_raising_asks_nothing_and_ends_the_contradiction(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    async with plain_server(tmp_path, "") as address:
        client = await connected(f"nats://{address}")
        for plan in plans(Subjects(), [timedelta(hours=1)]):
            await client.jetstream().add_stream(StreamConfig(**kept(plan), max_age=86400))
        environ = {"YIZHAN_NATS__URL": f"nats://{address}"}
        before = await yizhan.run("check", within_s=90, **environ)
        ended = await yizhan.anew.run("retention", "apply", "--json", within_s=90, **environ)
        after = await yizhan.run("check", within_s=90, **environ)
        await client.close()
    assert (before.code, ended.code, after.code) == (1, 0, 0), (before, ended, after)
    row = json.loads(ended.out)["streams"][0]
    assert (row["stream"], row["applied"]) == (Subjects().stream, True)
    assert row["nats"][0].startswith(f"nats stream edit {Subjects().stream} --max-age=")
    assert "run `yizhan retention apply`" in before.out
