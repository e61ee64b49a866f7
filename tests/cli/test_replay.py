"""`yizhan replay` as an operator types it: planned, killed, resumed, reported on."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.codec import encode_event
from receiver.bus.subjects import Subjects, input_subject
from receiver.testing import make_event
from schemas.events import OrderClosed
from tests.cli.conftest import Ended, Running, Yizhan
from tests.cli.test_check_and_up import SOURCE

HANDLERS = """\
import asyncio
from pathlib import Path

from yizhan import Context, Event, Router
from yizhan.events import OrderClosed

router = Router()


@router.on(OrderClosed)
async def close_it(event: Event[OrderClosed], ctx: Context) -> None:
    with open("runs", "a") as runs:
        runs.write(f"{event.order_id} {event.replay}\\n")
    def happened() -> bool:
        return Path("effects").exists() and event.order_id in Path("effects").read_text().split()

    async with ctx.once("tell shop", resolve=happened) as effect:
        if effect.due:
            with open("effects", "a") as effects:
                effects.write(f"{event.order_id}\\n")
    while int(event.order_id) >= 80 and Path("hold").exists():
        await asyncio.sleep(0.01)
    if event.order_id == "13":
        raise ValueError("unlucky")
"""
COUNT = 120


@dataclass
class Place:
    """A directory with a handler, events in the stream, and the operator; no worker runs."""

    yizhan: Yizhan
    environ: dict[str, str]

    async def run(self, *words: str) -> Ended:
        return await self.yizhan.run(*words, within_s=90, **self.environ)

    async def document(self, *words: str) -> dict[str, Any]:
        ended = await self.run(*words, "--json")
        assert ended.code in {0, 3}, ended
        return dict(json.loads(ended.out))

    async def start(self, *words: str) -> Running:
        return await self.yizhan.start(*words, **self.environ)

    def lines(self, file: str) -> list[str]:
        path = self.yizhan.directory / file
        return path.read_text(encoding="ascii").splitlines() if path.exists() else []

    @property
    def held(self) -> int:
        """How often the first order was begun that is held."""
        return self.lines("runs").count("80 fix1")

    async def until_held(self, times: int) -> None:
        async with asyncio.timeout(90):
            while self.held < times:
                await asyncio.sleep(0.01)

    async def until_begun(self, file: str) -> None:
        """Once a command writes beside a file."""
        async with asyncio.timeout(90):
            while not [*self.yizhan.directory.glob(f".{file}.*")]:
                await asyncio.sleep(0.01)

    async def until_runs(self, count: int) -> None:
        async with asyncio.timeout(90):
            while len(self.lines("runs")) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def place(
    yizhan: Yizhan, nats_url: str, client: Client, subjects: Subjects
) -> AsyncIterator[Place]:
    (yizhan.directory / "my.py").write_text(HANDLERS)
    settings = f'{SOURCE}[handlers]\nload = ["my:router"]\nmax_attempts = 1\ngrace_s = 1\n'
    (yizhan.directory / "yizhan.toml").write_text(settings)
    (yizhan.directory / "yizhan.toml").chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    made = Place(yizhan, environ)
    assert (await made.run("replay", "list")).out == "there is no replay\n"
    for number in range(COUNT):
        message = encode_event(
            make_event(OrderClosed(channel="1688", order_id=str(number))), subjects
        )
        await client.jetstream().publish(
            input_subject(message.subject), message.body, headers=dict(message.headers)
        )
    yield made
    for stream in (subjects.stream, subjects.dead_stream, subjects.state_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)


async def test_a_replay_that_is_killed_and_changes_hands_gives_every_event_and_each_effect_once(
    place: Place,
) -> None:
    """Killed twice, taken over by a worker that comes, and taken back once that is killed."""
    planned = await place.document(
        "replay", "plan", "fix1", "--type", "order.closed", "--to", "handler:close_it"
    )
    hold = place.yizhan.directory / "hold"
    hold.touch()
    for count in (7, 31):
        running = await place.start("replay", "run", "fix1", "--rate", "200")
        await place.until_runs(count)
        running.process.kill()
        await running.process.wait()
    listed = await place.document("replay", "list")
    running = await place.start("replay", "run", "fix1", "--rate", "0")
    await running.line(lambda line: "this command runs the replay itself" in line)
    await place.until_held(1)
    held = place.held
    worker = await place.start("work")
    await running.line(lambda line: "a worker came, and goes on with it" in line)
    await place.until_held(held + 1)
    worker.process.kill()
    hold.unlink()
    await running.line(lambda line: "this command runs the replay itself" in line)
    await running.line(lambda line: f"{COUNT} replayed" in line)
    ended = await running.process.wait()
    report = await place.document("replay", "report", "fix1")
    again = await place.run("replay", "run", "fix1")
    planned_again = await place.document(
        "replay", "plan", "fix2", "--type", "order.closed", "--to", "handler:close_it"
    )

    assert (planned["count"], planned["forecast"][0]["would_run"]) == (COUNT, COUNT)
    assert [one["state"] for one in listed["replays"]] == ["interrupted"]
    assert {*place.lines("runs")} == {f"{number} fix1" for number in range(COUNT)}
    assert set(Counter(place.lines("effects")).values()) == {1}
    assert len(place.lines("effects")) == COUNT
    assert ended == 3, running.lines
    (of_handler,) = report["handlers"]
    assert (of_handler["succeeded"], of_handler["failed"]) == (COUNT - 1, 1)
    (failed,) = of_handler["failures"]
    assert (failed["order_id"], failed["reason"]) == ("13", "ValueError: unlucky")
    assert (again.code, "is finished: plan another one" in again.err) == (2, True)
    effects = planned_again["forecast"][0]["effects"]
    assert effects == [{"effect": "tell shop", "fires": 0, "suppressed": COUNT, "in_doubt": 0}]


async def test_a_replay_is_interrupted_asked_for_cancelled_and_recorded(place: Place) -> None:
    select = ("--type", "order.closed", "--to", "handler:close_it")
    asked = await place.run("replay", "--since", "1h", *select[2:], "--force-effects")
    nothing = await place.run("replay", "plan", "fix1", *select[2:])
    await place.run("replay", "plan", "fix1", *select, "--limit", "50")
    running = await place.start("replay", "run", "fix1", "--rate", "20")
    await place.until_runs(3)
    code = await running.stop(signal.SIGINT)
    listed = await place.run("replay", "list")
    to_file = await place.start(
        "replay", "--type", "order.closed", "--to", "file:out.jsonl", "--rate", "1"
    )
    await place.until_begun("out.jsonl")
    file_code = await to_file.stop(signal.SIGINT)
    unsure = await place.run("replay", "cancel", "fix1")
    cancelled = await place.run("replay", "cancel", "fix1", "--yes")
    (place.yizhan.directory / "my.py").write_text(HANDLERS + "\n# changed\n")
    await place.run("replay", "plan", "one", "--seq", "#14", *select[2:], "--force-effects")
    (place.yizhan.directory / "my.py").write_text(HANDLERS)
    changed = await place.run("replay", "run", "one")
    forced = await place.run("replay", "run", "one", "--yes")
    audit = await place.run("audit", "--verb", "replay-cancel")

    assert (asked.code, "there is no terminal to ask at" in asked.err) == (2, True)
    assert (nothing.code, "says not which events" in nothing.err) == (2, True)
    assert (code, "go on with it by `yizhan replay run fix1`" in running.lines[-1]) == (130, True)
    assert "fix1  interrupted  50 events  to handler:close_it" in listed.out
    assert file_code == 130
    assert "go on with it by `yizhan replay run once-" in to_file.lines[-1]
    assert not [*place.yizhan.directory.glob("*out.jsonl*")]
    assert unsure.code == 2
    assert cancelled.out == "fix1 is cancelled\n"
    assert len(place.lines("runs")) < 50
    assert changed.code == 2
    assert forced.code == 1
    assert "the code of close_it changed since the plan" in forced.err
    assert "#14 of order 13: ValueError: unlucky" in forced.err
    assert "handler:close_it" in audit.out
