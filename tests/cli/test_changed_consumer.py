"""Consumers that somebody else made or changed: before the start, and while the handlers run."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from nats.aio.client import Client

from receiver.testing import eventually
from tests.cli.conftest import Running, Yizhan
from tests.cli.test_check_and_up import CASES, SOURCE, Situation, asked, connected, situation

SCRIPT = (CASES / "existing-consumer-with-other-settings" / "make-consumer.sh").read_text()
HANDLERS = """\
import asyncio
from pathlib import Path

from yizhan import Context, Event, Router
from yizhan.events import PaymentSucceeded

router = Router()


def note(word, event):
    with Path("runs").open("a") as file:
        file.write(f"{word} {event.order_id}\\n")


async def work(event, pause_s):
    note("begun", event)
    await asyncio.sleep(pause_s)
    note("ended", event)


@router.on(PaymentSucceeded)
async def slow(event: Event[PaymentSucceeded], ctx: Context) -> None:
    await work(event, 3)
"""
MORE = """

@router.on(PaymentSucceeded)
async def handler_{letter}(event: Event[PaymentSucceeded], ctx: Context) -> None:
    note("{letter}", event)
"""
TOKEN = "t" * 16


def commands() -> tuple[str, dict[str, Any]]:
    """The request of the case (a): its subject and its body."""
    found = re.search(r"nats req '\$JS\.API\.(\S+)' '(.*)'", SCRIPT)
    assert found is not None
    return found[1], json.loads(found[2])


def variants() -> dict[str, dict[str, Any]]:
    """What else the consumer has in (b) to (e)."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    text = SCRIPT.replace("<in an hour>", until)
    found = re.findall(r'\((\w)\) ("\w+":.*?)(?=  \(|$)', text, flags=re.MULTILINE)
    return {letter: json.loads(f"{{{members}}}") for letter, members in found}


async def base_of(running: Running) -> str:
    line = await running.line(lambda line: "/readyz" in line)
    return str(re.findall(r"(http\S+)/readyz", line)[0])


def callback(order_id: str) -> bytes:
    message = {
        "messageType": "ORDER_PAY_SUCCESS",
        "messagePlatform": 1,
        "messageBody": {
            "orderId": order_id,
            "orderStatus": "WAITING_FOR_SENT",
            "totalAmount": 1200,
            "payTime": "2026-01-31 08:00:00",
        },
    }
    return json.dumps(message).encode()


async def push(base: str, *order_ids: str) -> None:
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        for order_id in order_ids:
            answer = await http.post(f"/callbacks/s/{TOKEN}", content=callback(order_id))
            assert answer.json()["status"] == "stored"


def runs(directory: Path) -> list[str]:
    file = directory / "runs"
    return file.read_text().splitlines() if file.exists() else []


async def test_a_backoff_made_by_hand_runs_no_event_beside_itself_in_two_processes(
    yizhan: Yizhan,
) -> None:
    async def prepare(client: Client) -> None:
        subjects = {"name": "YIZHAN", "subjects": ["yizhan.in.>"]}
        await asked(client, "STREAM.CREATE.YIZHAN", subjects)
        await asked(client, *commands())

    orders = ["11", "12", "13"]
    async with situation(yizhan, Situation("", server="", prepare=prepare)) as environ:
        (yizhan.directory / "my.py").write_text(HANDLERS)
        up = await yizhan.start("up", **environ)
        base = await base_of(up)
        work = await yizhan.start("work", YIZHAN_NATS__DATA_DIR="of-work", **environ)
        await work.line(lambda line: '"working"' in line)
        await push(base, *orders)

        async def all_ended() -> bool:
            return sum(line.startswith("ended") for line in runs(yizhan.directory)) >= len(orders)

        await eventually(all_ended, within_s=300)
        assert await up.stop() == 0
        assert await work.stop() == 0
    seen = sorted(runs(yizhan.directory))
    assert seen == [f"{word} {order}" for word in ("begun", "ended") for order in orders]


async def test_a_consumer_that_is_changed_while_running_is_said_to_contradict(
    yizhan: Yizhan,
) -> None:
    letters = variants()
    async with situation(yizhan, Situation("", server="")) as environ:
        made = [MORE.format(letter=letter) for letter in letters]
        (yizhan.directory / "my.py").write_text(HANDLERS + "".join(made))
        running = await yizhan.start("up", **environ)
        base = await base_of(running)
        client = await connected(environ["YIZHAN_NATS__URL"])
        before = {letter: await config(client, letter) for letter in letters}
        for letter, members in letters.items():
            await change(client, letter, before[letter] | members)
        said = await lines_of(running, {f"handler-handler_{letter}" for letter in letters})
        await push(base, "21")
        async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
            ready = await http.get("/readyz")
        checked = await yizhan.run("check", within_s=90, **environ)

        async def handled(*expected: str) -> bool:
            return set(expected) <= set(runs(yizhan.directory))

        await eventually(lambda: handled("ended 21"), within_s=300)
        between = runs(yizhan.directory)
        for letter in letters:
            await change(client, letter, before[letter])
        everything = [f"{letter} 21" for letter in letters]
        await eventually(lambda: handled(*everything), within_s=300)
        await client.close()
        assert await running.stop() == 0
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert sorted(between) == ["begun 21", "ended 21"]
    names = {"b": "max_batch", "c": "max_expires", "d": "priority_groups", "e": "paused until"}
    for letter, reason in names.items():
        line = said[f"handler-handler_{letter}"]
        event = "consumer_paused" if letter == "e" else "consumer_contradicts_handler"
        assert (event in line, reason in line) == (True, True), line
        assert re.search(rf"handler-handler_{letter} .*{reason}", checked.out), checked
    assert checked.code == 1


async def config(client: Client, letter: str) -> dict[str, Any]:
    subject = f"$JS.API.CONSUMER.INFO.YIZHAN.handler-handler_{letter}"
    found: dict[str, Any] = json.loads((await client.request(subject, b"", timeout=60)).data)
    return dict(found["config"])


async def change(client: Client, letter: str, values: dict[str, Any]) -> None:
    """As an operator does; a pause has a request of its own."""
    name = f"YIZHAN.handler-handler_{letter}"
    if letter == "e":
        await asked(client, f"CONSUMER.PAUSE.{name}", {"pause_until": values.get("pause_until")})
        return
    body = {"stream_name": "YIZHAN", "action": "update", "config": values}
    await asked(client, f"CONSUMER.CREATE.{name}", body)


async def lines_of(running: Running, consumers: set[str]) -> dict[str, str]:
    """The first line of the log for each consumer that says why it does not work."""
    found: dict[str, str] = {}
    while consumers - found.keys():
        line = await running.line(
            lambda line: "consumer_contradicts_handler" in line or "consumer_paused" in line,
            within_s=300,
        )
        found |= {name: line for name in consumers if name in line and name not in found}
    return found


def test_the_case_has_every_variant() -> None:
    assert (list(variants()), SOURCE.count(TOKEN)) == (["b", "c", "d", "e"], 1)
