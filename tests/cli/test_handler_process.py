"""`up` runs the handlers in a process of their own: none of them delays or ends the receiver."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import httpx2

from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan
from tests.forked import children

CASES = Path(__file__).parents[1] / "fixtures/cases"
TOKEN, SECRET = "t" * 16, "s" * 16
SETTINGS = f"""
[[sources]]
name = "s"
dialect = "xport"
verification = "path_token"
path_token = "{TOKEN}"
[[sources]]
name = "signed"
dialect = "xport"
verification = "signature"
access_key = "k"
secrets = ["{SECRET}"]
[handlers]
load = ["handler:router"]
"""
ANSWER_S = 2.5
"""Shorter than the handler of the case blocks, longer than a slow machine needs for an answer."""
HANDLER = """
from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderCreated

router = Router()


@router.on(OrderCreated)
async def handle(event: Event[OrderCreated], ctx: Context) -> None:
    ctx.log.info("begun")
"""


class Up:
    """A running `yizhan up` with a handler module of its own."""

    def __init__(self, running: Running, base: str) -> None:
        self.running = running
        self._base = base

    async def push(self, message_type: str, order_id: str) -> str:
        """The outcome; fails where the answer waits for a handler that blocks."""
        body = {"messageType": message_type, "messageBody": {"orderId": order_id}}
        async with httpx2.AsyncClient(timeout=ANSWER_S) as http:
            answer = await http.post(f"{self._base}/callbacks/s/{TOKEN}", json=body)
        assert answer.status_code == 200
        return str(answer.json()["status"])

    def handler_process(self) -> int:
        """Its process id; 0 where there is none."""
        return next(iter(self.handler_processes()), 0)

    def handler_processes(self) -> list[int]:
        """The process ids of all of them."""
        return children(self.running.process.pid, "handler-process")


def of(pid: int | str, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except OSError:
        return ""


async def started(yizhan: Yizhan, handler: str, **environ: str) -> Up:
    (yizhan.directory / "handler.py").write_text(handler)
    file = yizhan.directory / "yizhan.toml"
    file.write_text(SETTINGS)
    file.chmod(0o600)
    running = await yizhan.start("up", **environ)
    await running.line(lambda line: line.startswith("Ctrl-C"))
    return Up(running, re.findall(r"(http\S+)/healthz", "".join(running.lines))[0])


async def test_a_handler_that_exits_fails_and_ends_nothing(yizhan: Yizhan) -> None:
    case = (CASES / "handler-sys-exit-kills-receiver/handler.py").read_text()
    up = await started(yizhan, case, YIZHAN_HANDLERS__MAX_ATTEMPTS="2")
    pid = up.handler_process()
    assert await up.push("ORDER_CANCEL", "1") == "stored"
    assert [await up.push("ORDER_CREATE", str(number)) for number in range(1, 10)] == ["stored"] * 9
    failures = [
        json.loads(await up.running.line(lambda line: "handler_failed" in line)) for _ in "12"
    ]
    assert [failed["outcome"] for failed in failures] == ["retried", "dead_lettered"]
    assert failures[0]["error"].startswith("SystemExit")
    assert up.handler_process() == pid
    assert await up.running.stop() == 0


async def test_a_handler_that_ends_its_process_does_not_end_the_receiver(yizhan: Yizhan) -> None:
    ending = HANDLER.replace('ctx.log.info("begun")', "os._exit(3)")
    up = await started(yizhan, f"import os\n{ending}")
    assert await up.push("ORDER_CREATE", "1") == "stored"
    died = await up.running.line(lambda line: "handler_process_died" in line)
    assert json.loads(died)["exit_code"] == 3
    assert await up.push("ORDER_CANCEL", "2") == "stored"
    await up.running.line(lambda line: "handler_started" in line)
    assert await up.push("ORDER_CANCEL", "after") == "stored"
    assert await up.running.stop() == 0


async def test_a_handler_that_blocks_delays_no_answer_and_is_reported(yizhan: Yizhan) -> None:
    up = await started(yizhan, (CASES / "blocking-handler-delays-callbacks/handler.py").read_text())
    assert await up.push("ORDER_PAY_SUCCESS", "1") == "stored"
    until, number = time.monotonic() + 2.5, 0
    while time.monotonic() < until:
        number += 1
        assert await up.push("ORDER_CREATE", str(number)) == "stored"
    reported = json.loads(await up.running.line(lambda line: "handler_blocks_loop" in line))
    assert reported["handler"] == "blocks"
    assert reported["stack"][0].startswith("handler.blocks:")
    handled = json.loads(await up.running.line(lambda line: "event_handled" in line))
    assert handled["duration_ms"] >= 3000
    assert await up.running.stop() == 0


async def test_a_handler_that_blocks_is_run_apart_from_the_others(yizhan: Yizhan) -> None:
    others = """
import time

from schemas.events import OrderClosed


@router.on(OrderClosed)
async def block(event: Event[OrderClosed], ctx: Context) -> None:
    time.sleep(60)
"""
    up = await started(yizhan, HANDLER + others, YIZHAN_HANDLERS__GRACE_S="0.5")
    before = up.handler_process()
    assert await up.push("ORDER_CANCEL", "1") == "stored"
    isolated = json.loads(await up.running.line(lambda line: "handler_isolated" in line))
    assert isolated["handler"] == "block"
    await eventually(lambda: before not in up.handler_processes(), within_s=60)
    shared, alone = up.handler_processes()
    assert await up.push("ORDER_CREATE", "2") == "stored"
    begun = json.loads(await up.running.line(lambda line: '"begun"' in line))
    assert begun["order_id"] == "2"
    os.kill(alone, signal.SIGKILL)
    await up.running.line(lambda line: "handler_process_died" in line)
    assert await up.running.stop() == 0
    assert not any(of(pid, "cmdline") for pid in (before, shared, alone))


async def test_as_many_processes_run_the_handlers_as_the_settings_say(yizhan: Yizhan) -> None:
    up = await started(yizhan, HANDLER, YIZHAN_HANDLERS__PROCESSES="2")
    pids = up.handler_processes()
    assert len(pids) == 2
    os.kill(pids[0], signal.SIGKILL)
    await up.running.line(lambda line: "handler_process_died" in line)
    await up.running.line(lambda line: "handler_started" in line)
    assert await up.push("ORDER_CREATE", "1") == "stored"
    await up.running.line(lambda line: '"begun"' in line)
    assert await up.running.stop() == 0
    assert not any(of(pid, "cmdline") for pid in pids)


async def test_the_pause_before_a_restart_grows(yizhan: Yizhan) -> None:
    up = await started(yizhan, HANDLER)
    pauses = []
    for _ in range(3):
        await eventually(lambda: up.handler_process() > 0, within_s=60)
        os.kill(up.handler_process(), signal.SIGKILL)
        died = await up.running.line(lambda line: "handler_process_died" in line)
        pauses.append(json.loads(died)["delay_s"])
        await up.running.line(lambda line: "handler_started" in line)
    assert pauses == [0.5, 1.0, 2.0]
    assert await up.running.stop() == 0


async def test_no_handler_outlives_a_parent_that_is_killed(yizhan: Yizhan) -> None:
    blocking = HANDLER.replace('ctx.log.info("begun")', 'print("begun", flush=True); sleep(600)')
    up = await started(yizhan, f"from time import sleep\n{blocking}", YIZHAN_HANDLERS__GRACE_S="0")
    assert await up.push("ORDER_CREATE", "1") == "stored"
    await up.running.line(lambda line: line == "begun\n")
    pid = up.handler_process()
    assert pid > 0
    up.running.process.kill()
    await eventually(lambda: not of(pid, "cmdline"), within_s=60)


async def test_a_handler_that_blocks_does_not_hold_up_the_stop(yizhan: Yizhan) -> None:
    blocking = HANDLER.replace('ctx.log.info("begun")', 'print("begun", flush=True); sleep(600)')
    up = await started(yizhan, f"from time import sleep\n{blocking}", YIZHAN_HANDLERS__GRACE_S="0")
    assert await up.push("ORDER_CREATE", "1") == "stored"
    await up.running.line(lambda line: line == "begun\n")
    pid = up.handler_process()
    assert await up.running.stop() == 0
    assert not of(pid, "cmdline")


async def test_a_stop_lets_a_run_finish_within_the_grace_time(yizhan: Yizhan) -> None:
    slow = f"import asyncio\n{HANDLER}    await asyncio.sleep(1)\n"
    up = await started(yizhan, slow)
    assert await up.push("ORDER_CREATE", "1") == "stored"
    await up.running.line(lambda line: '"begun"' in line)
    assert await up.running.stop() == 0
    assert '"outcome":"done"' in "".join(up.running.lines)


async def test_no_secret_is_in_the_arguments_or_the_environment(yizhan: Yizhan) -> None:
    up = await started(yizhan.anew, HANDLER)
    password = (await yizhan.run("url", "--operator")).out.split(":")[2].partition("@")[0]
    pid = up.handler_process()
    seen = of(pid, "cmdline") + of(pid, "environ")
    assert "handler-process" in seen
    assert len(password) > 8
    assert not [secret for secret in (TOKEN, SECRET, password) if secret in seen]
    assert await up.running.stop() == 0


async def test_a_handler_that_cannot_be_loaded_is_a_sentence_and_2(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text(SETTINGS)
    ended = await yizhan.run("up", YIZHAN_LOG__LEVEL="error")
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert ended.err.count("there is no module 'handler'") == 1


async def test_a_fault_in_a_handler_module_is_a_sentence_with_its_place_and_ends_with_2(
    yizhan: Yizhan,
) -> None:
    (yizhan.directory / "yizhan.toml").write_text(SETTINGS)
    (yizhan.directory / "handler.py").write_text("table = {}['key']\n")
    ended = await yizhan.run("up", YIZHAN_LOG__LEVEL="error")
    assert ended.code == 2
    assert "KeyError: 'key' (handler.py, line 1)" in ended.err
    assert "Traceback" not in ended.err
