"""`yizhan handlers` and `check --prune` as an operator types them, beside a worker and without."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from nats.aio.client import Client

from receiver.bus.codec import encode_event
from receiver.bus.subjects import Subjects, input_subject
from receiver.testing import eventually, make_event
from schemas.events import OrderClosed
from tests.cli.conftest import Ended, Yizhan
from tests.cli.test_check_and_up import HANDLERS, SOURCE

REASON = "the desk is closed"


@dataclass
class Desk:
    """An operator's place: a directory with a handler `slow`, and a server that others use."""

    yizhan: Yizhan
    environ: dict[str, str]
    client: Client
    subjects: Subjects

    async def run(self, *words: str, **environ: str) -> Ended:
        return await self.yizhan.run(*words, within_s=90, **{**self.environ, **environ})

    async def handlers(self) -> dict[str, Any]:
        """The report of `slow`."""
        ended = await self.run("handlers", "--json")
        assert ended.code == 0, ended
        (report,) = json.loads(ended.out)["handlers"]
        assert report["handler"] == "slow"
        return dict(report)

    async def store(self, *orders: str) -> None:
        for order in orders:
            event = make_event(OrderClosed(channel="1688", order_id=order))
            message = encode_event(event, self.subjects)
            await self.client.jetstream().publish(
                input_subject(message.subject), message.body, headers=dict(message.headers)
            )

    async def store_some(self) -> None:
        """Two events, in a stream that a command makes."""
        await self.handlers()
        await self.store("1", "2")

    async def at_terminal(self, typed: str, *words: str) -> tuple[int, str]:
        """The exit code of a command that may ask, and what it prints."""
        ended = await self.yizhan.at_terminal(typed, *words, **self.environ)
        return ended.code, ended.out

    async def work(self) -> None:
        """Run a worker until it has handled everything."""
        running = await self.yizhan.start("work", **self.environ)
        await running.line(lambda line: "handler_started" in line)
        await eventually(self.idle, within_s=60)
        assert await running.stop() == 0

    async def idle(self) -> bool:
        name = f"$JS.API.CONSUMER.INFO.{self.subjects.stream}.handler-slow"
        info = json.loads((await self.client.request(name, b"", timeout=60)).data)
        return "error" not in info and not (info["num_pending"] or info["num_ack_pending"])


@pytest.fixture
async def desk(
    yizhan: Yizhan, nats_url: str, client: Client, subjects: Subjects
) -> AsyncIterator[Desk]:
    (yizhan.directory / "my.py").write_text(
        HANDLERS.replace("(OrderClosed)", '(OrderClosed, start="all")')
    )
    file = yizhan.directory / "yizhan.toml"
    file.write_text(f'{SOURCE}[handlers]\nload = ["my:router"]\n')
    file.chmod(0o600)
    environ = {"YIZHAN_NATS__URL": nats_url, "YIZHAN_NATS__SUBJECT_ROOT": subjects.root}
    yield Desk(yizhan, environ, client, subjects)
    for stream in (subjects.stream, subjects.dead_stream, subjects.audit_stream):
        await client.request(f"$JS.API.STREAM.DELETE.{stream}", b"", timeout=60)


async def test_an_operator_pauses_resumes_and_rewinds(desk: Desk) -> None:
    before = await desk.handlers()
    await desk.work()
    paused = await desk.run("handlers", "pause", "slow", "--reason", REASON, "--by", "ann")
    await desk.store("1", "2")
    waiting, text = await desk.handlers(), await desk.run("handlers")
    checked = await desk.run("check")
    resumed = await desk.run("handlers", "resume", "slow", "--json")
    await desk.work()
    rewound = await desk.run("handlers", "rewind", "slow", "--to", "#1", "--yes", "--json")
    after = await desk.handlers()
    audit = await desk.run("audit", "--handler", "slow", "--limit", "2")
    acts = json.loads((await desk.run("audit", "--json")).out)["acts"]

    assert (before["durable"], before["source"]) == (None, "my.py:9")
    assert (paused.code, resumed.code, rewound.code) == (0, 0, 0), (paused, resumed, rewound)
    assert (waiting["pending"], waiting["oldest"]["stream_seq"]) == (2, 1)
    assert waiting["paused"]["reason"] == REASON
    assert f"PAUSED    {REASON} by " in text.out
    assert "; its oldest event expires before" in text.out
    assert "handler-slow is paused until" in checked.out
    assert f"({REASON}): nothing is handled before" in checked.out
    consumer = f"{desk.subjects.stream} handler-slow"
    assert re.search(rf"^nats: nats consumer pause {consumer} '20\d\d-", paused.err)
    assert json.loads(resumed.out) == {
        "handler": "slow",
        "was_paused": True,
        "nats": [f"nats consumer resume {consumer}"],
    }
    assert "slow goes back to #1: 2 events that are done run again\n" in rewound.err
    assert json.loads(rewound.out)["nats"] == [f"nats consumer reset {consumer} --sequence=1"]
    assert (after["pending"], after["paused"]) == (2, None)
    assert [line.split("  ")[1] for line in audit.out.splitlines()] == [
        "handlers-resume",
        "handlers-rewind",
    ]
    assert [act["outcome"] for act in acts] == ["done"] * 3
    assert (acts[0]["reason"], acts[0]["by"]) == (REASON, "ann")


async def test_positions_of_handlers_that_are_not_loaded_are_named_and_deleted(desk: Desk) -> None:
    await desk.work()
    loaded = await desk.run("handlers", "forget", "slow", "--yes")
    gone = {"YIZHAN_HANDLERS__LOAD": "[]"}
    text = await desk.run("handlers", **gone)
    checked = await desk.run("check", **gone)
    asked = await desk.run("check", "--prune", **gone)
    pruned = await desk.run("check", "--prune", "--yes", "--json", **gone)
    again = await desk.run("check", "--prune", "--yes", **gone)

    assert loaded.code == 2
    assert "slow is loaded (my.slow), and would start anew" in loaded.err
    assert "not loaded here: `yizhan handlers forget` deletes its position" in text.out
    assert (
        "warn  nats      the consumer handler-slow is of a handler that is not loaded"
        in checked.out
    )
    assert (checked.code, asked.code, pruned.code, again.code) == (0, 2, 0, 0)
    assert "there is no terminal to ask at: give --yes" in asked.err
    assert "slow is forgotten" in pruned.err
    assert json.loads(pruned.out)["pruned"] == ["slow"]
    assert "no position of a handler is to be deleted" in again.out


async def test_a_handler_that_is_off_is_shown_so_and_keeps_its_position(desk: Desk) -> None:
    await desk.work()
    await desk.store("1")
    off = {"YIZHAN_HANDLERS__SLOW__ENABLED": "false"}
    running = await desk.yizhan.start("work", **desk.environ, **off)
    await running.line(lambda line: "handler_off" in line)
    text = await desk.run("handlers", **off)
    checked = await desk.run("check", "--prune", "--yes", **off)
    replayed = await desk.run("replay", "--since", "1h", "--to", "handler:slow", **off)
    assert await running.stop() == 0
    kept = await desk.handlers()
    forgotten = await desk.run("handlers", "forget", "slow", "--yes", **off)

    assert "off       here: handlers.slow.enabled is false" in text.out
    assert "ok    handlers  slow is off: handlers.slow.enabled is false" in checked.out
    assert "no position of a handler is to be deleted" in checked.out
    assert replayed.code == 2
    assert "the handler slow is off: handlers.slow.enabled is false" in replayed.err
    assert (kept["off"], kept["pending"]) == (None, 1)
    assert (forgotten.code, forgotten.out.splitlines()[-1]) == (0, "slow is forgotten")


async def test_what_a_worker_runs_is_neither_forgotten_nor_pruned(desk: Desk) -> None:
    running = await desk.yizhan.start("work", **desk.environ)
    await running.line(lambda line: "handler_started" in line)
    gone = {"YIZHAN_HANDLERS__LOAD": "[]"}
    forgotten = await desk.run("handlers", "forget", "slow", "--yes", **gone)
    pruned = await desk.run("check", "--prune", "--yes", **gone)
    assert (forgotten.code, pruned.code) == (2, 0)
    assert "a worker runs slow: stop it first" in forgotten.err
    assert "no position of a handler is to be deleted" in pruned.out
    assert await running.stop() == 0


async def test_a_handler_is_operated_although_its_module_is_broken(desk: Desk) -> None:
    await desk.work()
    (desk.yizhan.directory / "my.py").write_text("1 / 0\n")
    listed = await desk.run("handlers")
    paused = await desk.run("handlers", "pause", "slow", "--reason", REASON)
    forgotten = await desk.run("handlers", "forget", "slow", "--yes")
    assert (listed.code, paused.code, forgotten.code) == (1, 0, 2)
    assert "ZeroDivisionError" in listed.err
    assert listed.out.startswith("slow\n")
    assert "ZeroDivisionError" in forgotten.err


@pytest.mark.parametrize("answer", ["n", "y"])
async def test_an_operator_is_asked_at_a_terminal(desk: Desk, answer: str) -> None:
    await desk.store_some()
    running = await desk.yizhan.start("work", **desk.environ)
    await eventually(desk.idle, within_s=60)
    code, said = await desk.at_terminal(f"{answer}\n", "handlers", "rewind", "slow", "--to", "1h")
    await eventually(desk.idle, within_s=60)
    assert await running.stop() == 0
    assert "slow goes back to #1: 2 events that are done run again" in said
    assert "Rewind? [y/N]" in said
    assert code == (0 if answer == "y" else 1)
    assert "".join(running.lines).count("handled\n") == (4 if answer == "y" else 2)


async def test_ctrl_c_at_a_question_ends_it_at_once_and_changes_nothing(desk: Desk) -> None:
    await desk.work()
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receiver", "handlers", "rewind", "slow", "--to", "1h"),
        cwd=desk.yizhan.directory,
        env=desk.yizhan.environ(**desk.environ),
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readuntil(b"[y/N]: ")
    while process.returncode is None:  # one that comes just before the terminal is read is lost
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()
    said = await process.stderr.read()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 130
    assert said.decode() == "\nyizhan: stopped at the question: nothing was done\n"


@pytest.mark.parametrize("reason", ["two\nlines", "x" * 501], ids=["lines", "long"])
async def test_a_reason_is_one_line(yizhan: Yizhan, reason: str) -> None:
    ended = await yizhan.run("handlers", "pause", "slow", "--reason", reason)
    assert ended.code == 2
    assert ended.err == "yizhan: --reason: write one line of at most 500 characters\n"
