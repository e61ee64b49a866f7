"""`up --simulate` beside other sources: where invented orders go, and what their events say."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator

import httpx2
import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.cli.conftest import Running, Yizhan

TOKEN = "t" * 16
REAL = f"""
[[sources]]
name = "real"
dialect = "xport"
verification = "signature"
access_key = "k"
secrets = ["{"s" * 16}"]
[[sources]]
name = "secret"
dialect = "xport"
verification = "path_token"
path_token = "{TOKEN}"
"""
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"7","ce-simulated":"true"}}'


async def started(yizhan: Yizhan, *arguments: str, settings: str = REAL, **environ: str) -> Running:
    file = yizhan.directory / "yizhan.toml"
    file.write_text(settings)
    file.chmod(0o600)
    running = await yizhan.start("up", "--simulate", "--interval", "0.2", *arguments, **environ)
    await running.line(lambda line: line.startswith("Ctrl-C"))
    return running


@pytest.fixture
async def connections() -> AsyncIterator[list[Client]]:
    opened: list[Client] = []
    yield opened
    for client in opened:
        await client.close()


async def next_events(
    yizhan: Yizhan, connections: list[Client], count: int, subject: str = "yizhan.events.>"
) -> list[Msg]:
    client = await nats.connect((await yizhan.run("url")).out.strip())
    connections.append(client)
    events = await client.subscribe(subject)
    return [await events.next_msg(timeout=60) for _ in range(count)]


def header(message: Msg, name: str) -> str | None:
    return (message.headers or {}).get(name)


async def test_invented_orders_go_into_a_source_of_their_own_and_say_so(
    yizhan: Yizhan, connections: list[Client]
) -> None:
    running = await started(yizhan)
    seen = await next_events(yizhan, connections, 12)
    assert {header(message, "ce-source") for message in seen} == {"/sources/dev"}
    assert {header(message, "ce-simulated") for message in seen} == {"true"}
    assert await running.stop() == 0


async def test_an_event_made_from_a_simulated_one_is_marked_simulated(
    yizhan: Yizhan, connections: list[Client]
) -> None:
    running = await started(yizhan)
    (tracked,) = await next_events(yizhan, connections, 1, "yizhan.events.*.logistics.tracked.>")
    assert (header(tracked, "ce-origin"), header(tracked, "ce-simulated")) == ("handler", "true")
    assert await running.stop() == 0


async def test_the_log_names_the_order_of_a_callback_and_of_a_run(yizhan: Yizhan) -> None:
    running = await started(yizhan)
    callback = json.loads(await running.line(lambda line: '"callback_stored"' in line))
    run = json.loads(await running.line(lambda line: '"event_handled"' in line))
    for line in (callback, run):
        assert re.fullmatch(r"\d{19}", line["order_id"])
        assert "shown" not in line
    assert await running.stop() == 0


async def test_a_sender_cannot_mark_its_events_as_simulated(
    yizhan: Yizhan, connections: list[Client]
) -> None:
    running = await started(yizhan)
    base = re.findall(r"(http\S+)/healthz", "".join(running.lines))[0]
    waiting = asyncio.create_task(next_events(yizhan, connections, 1, "yizhan.events.*.*.*.7"))
    async with httpx2.AsyncClient(base_url=base, headers={"ce-simulated": "true"}) as http:
        number = 0
        while not waiting.done():
            number += 1
            answer = await http.post(f"/callbacks/secret/{TOKEN}", content=BODY + b" " * number)
            assert answer.status_code == 200
            await asyncio.wait({waiting}, timeout=0.1)
    (event,) = await waiting
    assert (header(event, "ce-source"), header(event, "ce-simulated")) == ("/sources/secret", None)
    assert await running.stop() == 0


async def test_a_source_that_is_named_gets_invented_orders(
    yizhan: Yizhan, connections: list[Client]
) -> None:
    running = await started(yizhan, "--source", "real")
    seen = await next_events(yizhan, connections, 3)
    assert {header(message, "ce-source") for message in seen} == {"/sources/real"}
    assert await running.stop() == 0


async def test_the_added_sources_take_deliveries_from_loopback_alone(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text(REAL)
    running = await yizhan.start(
        "up", "--simulate", YIZHAN_RECEIVER__TRUSTED_PROXIES='["127.0.0.1"]'
    )
    await running.line(lambda line: line.startswith("Ctrl-C"))
    url = re.findall(r"(http\S+/callbacks/try/\w+)", "".join(running.lines))[0]
    statuses = []
    async with httpx2.AsyncClient() as http:
        for address in ("192.0.2.7", "127.0.0.1"):
            answer = await http.post(url, content=BODY, headers={"x-forwarded-for": address})
            statuses.append(answer.status_code)
    assert statuses == [401, 200]
    assert await running.stop() == 0


async def test_workers_know_the_added_sources_also_after_a_reload(
    yizhan: Yizhan, connections: list[Client]
) -> None:
    running = await started(yizhan, YIZHAN_RECEIVER__WORKERS="2")
    running.process.send_signal(signal.SIGHUP)
    for _ in range(2):
        await running.line(lambda line: "sources_reloaded" in line)
    seen = await next_events(yizhan, connections, 3)
    assert {header(message, "ce-source") for message in seen} == {"/sources/dev"}
    assert await running.stop() == 0


@pytest.mark.parametrize("command", ["up", "receive"])
async def test_a_file_that_names_no_source_is_refused(yizhan: Yizhan, command: str) -> None:
    (yizhan.directory / "yizhan.toml").write_text('[handlers]\nload = ["handlers:router"]\n')
    ended = await yizhan.run(command)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "yizhan.toml: sources: none is configured" in ended.err
    assert not (yizhan.directory / "yizhan-data").exists()


async def test_check_refuses_a_file_that_names_no_source(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text('[handlers]\nload = ["handlers:router"]\n')
    ended = await yizhan.run("check")
    assert ended.code == 1
    assert "FAIL  settings  yizhan.toml: sources: none is configured" in ended.out


@pytest.mark.parametrize(
    ("arguments", "host", "says"),
    [
        (("up", "--source", "real"), "127.0.0.1", "add --simulate"),
        (
            ("up", "--simulate", "--source", "none"),
            "127.0.0.1",
            "--source none: no source of that name",
        ),
        (("up", "--simulate", "--source", "secret"), "127.0.0.1", "can be simulated"),
        (("simulate",), "127.0.0.1", "none is marked simulated = true"),
        (("simulate", "--api-faults", "broken"), "127.0.0.1", "--api-faults: 'broken' is no fault"),
        (
            ("up", "--simulate"),
            "192.0.2.7",
            "receiver.host: '192.0.2.7' is not reached on loopback",
        ),
    ],
    ids=["no-simulate", "unknown", "unsigned", "unnamed", "fault", "not-loopback"],
)
async def test_orders_are_not_pushed_where_they_should_not(
    yizhan: Yizhan, arguments: tuple[str, ...], host: str, says: str
) -> None:
    file = yizhan.directory / "yizhan.toml"
    file.write_text(REAL)
    file.chmod(0o600)
    ended = await yizhan.run(*arguments, YIZHAN_RECEIVER__HOST=host)
    assert (ended.code, says in ended.err) == (2, True), ended.err


async def test_a_source_of_the_same_name_is_not_replaced(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text(REAL.replace('"real"', '"dev"'))
    ended = await yizhan.run("up", "--simulate")
    assert (ended.code, "'dev' is the name of a source that --simulate adds" in ended.err) == (
        2,
        True,
    )
