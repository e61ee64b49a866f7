"""`yizhan doubt` as an operator types it: a worker is killed in the body of an effect."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.codec import encode_event
from receiver.bus.subjects import Subjects, input_subject
from receiver.testing import make_event
from schemas.events import OrderClosed
from tests.cli.conftest import Ended, Yizhan
from tests.cli.test_check_and_up import SOURCE

HANDLERS = """\
import asyncio
import os

from yizhan import Context, Event, Router
from yizhan.events import OrderClosed

router = Router()


@router.on(OrderClosed, start="all")
async def close_it(event: Event[OrderClosed], ctx: Context) -> None:
    async with ctx.once("tell shop") as effect:
        if effect.due:
            with open("effects", "a") as effects:
                effects.write("begun\\n")
            print("in the body", flush=True)
            await asyncio.sleep(3600 if "HANG" in os.environ else 0)
            effect.result = 17
    print(f"result {effect.result}", flush=True)
"""
EVENT = make_event(OrderClosed(channel="1688", order_id="1"))
KEY = f"effect.close_it.{EVENT.fact_id}.tell=20shop"


@dataclass
class Place:
    """A directory with the handler, one event in the stream, and the operator."""

    yizhan: Yizhan
    environ: dict[str, str]

    async def run(self, *words: str) -> Ended:
        return await self.yizhan.run(*words, within_s=90, **self.environ)

    async def work(self, until: str, end: signal.Signals, **environ: str) -> None:
        running = await self.yizhan.start("work", **self.environ, **environ)
        await running.line(lambda line: until in line)
        await running.stop(end)

    async def doubts(self) -> list[dict[str, Any]]:
        listed = await self.run("doubt", "--json")
        assert listed.code == 0, listed
        return list(json.loads(listed.out)["effects"])

    @property
    def effects(self) -> int:
        return len((self.yizhan.directory / "effects").read_text(encoding="ascii").splitlines())


@pytest.fixture
async def place(
    yizhan: Yizhan, nats_url: str, client: Client, subjects: Subjects
) -> AsyncIterator[Place]:
    (yizhan.directory / "my.py").write_text(HANDLERS)
    (yizhan.directory / "yizhan.toml").write_text(f'{SOURCE}[handlers]\nload = ["my:router"]\n')
    (yizhan.directory / "yizhan.toml").chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    made = Place(yizhan, environ)
    assert await made.doubts() == []  # and the streams are there
    message = encode_event(EVENT, subjects)
    await client.jetstream().publish(
        input_subject(message.subject), message.body, headers=dict(message.headers)
    )
    await made.work("in the body", signal.SIGKILL, HANG="1")
    yield made
    for stream in (subjects.stream, subjects.dead_stream, subjects.state_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)


@pytest.mark.parametrize(("verdict", "effects", "result"), [("", 1, "None"), ("not-", 2, "17")])
async def test_an_operator_settles_what_a_killed_worker_left(
    place: Place, client: Client, subjects: Subjects, verdict: str, effects: int, result: str
) -> None:
    claimed = await place.run("doubt", "show", KEY)
    any_effect = await place.run("doubt", "show", "effect.*.>")
    await place.work("InDoubtError: in_doubt", signal.SIGTERM)
    await client.jetstream().publish(subjects.state("effect.close_it.x.y"), b"{")
    (doubt,) = await place.doubts()
    listed = await place.run("doubt", "--type", "order", "--order", "1", "--handler", "close_it")
    other = await place.run("doubt", "--order", "2")
    misspelt = await place.run("doubt", "--handler", "closeit")
    settled = await place.run("doubt", "settle", KEY, f"--{verdict}happened", "--note", "we asked")
    again = await place.run("doubt", "settle", KEY, "--happened", "--note", "we asked")
    command = settled.out.partition("again     ")[2].splitlines()[0]
    replayed = await place.run(*shlex.split(command)[1:])

    assert "state     claimed since" in claimed.out
    assert "effect.*.>: there is no such effect" in any_effect.err
    assert (doubt["key"], doubt["state"]) == (KEY, "in_doubt")
    assert doubt["why"] == "the process that ran it ended"
    assert "effect    tell shop" in listed.out
    assert "effect.close_it.x.y: an entry of the ledger cannot be read" in listed.err
    assert other.out == "nothing is in doubt\n"
    assert "no such handler: did you mean close_it?" in misspelt.err
    assert settled.code == 0, settled
    assert command.startswith("yizhan replay --to handler:close_it --type order.closed --order 1")
    assert "--until" in command
    assert again.code == 2
    assert "is settled, and not in doubt" in again.err
    assert replayed.code == 0, replayed
    assert f"result {result}" in replayed.out
    assert place.effects == effects
    assert await place.doubts() == []
    audit = await place.run("audit", "--verb", "doubt-settle")
    assert f'close_it  --effect {KEY} --verdict {verdict}happened  "we asked"' in audit.out
    shown = json.loads((await place.run("doubt", "show", KEY, "--json")).out)
    assert shown["state"] == ("done" if verdict else "settled")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "effect.x.y.z"), "effect.x.y.z: there is no such effect"),
        (("settle", "effect.x.y.z", "--happened", "--note", " "), "--note: is empty: say how"),
        (("settle", "effect.x.y.z", "--note", "n"), "write --happened or --not-happened"),
        (("--handler", ""), "--handler: is empty: leave it out"),
    ],
)
async def test_what_cannot_be_is_refused(
    yizhan: Yizhan, nats_url: str, subjects: Subjects, words: tuple[str, ...], sentence: str
) -> None:
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    (yizhan.directory / "yizhan.toml").write_text(SOURCE)
    (yizhan.directory / "yizhan.toml").chmod(0o600)

    ended = await yizhan.run("doubt", *words, within_s=90, **environ)

    assert ended.code == 2, ended
    assert sentence in ended.err
