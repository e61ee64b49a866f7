"""The commands as a new user types them, in an empty directory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import nats
import pytest

from receiver.embedded.server import server_binary
from receiver.testing import eventually
from tests.bus.cluster import free_ports
from tests.certificates import make_certificate
from tests.cli.conftest import Running, Yizhan
from tests.subscribed import subscribed

SOURCE = {"name": "open", "dialect": "xport", "verification": "none"}
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","totalAmount":100}}'


async def greeting(running: Running) -> dict[str, str]:
    """The URLs that `up` and `receive` print, by name."""
    await running.line(lambda line: line.startswith("Ctrl-C"))
    text = "".join(running.lines)
    found = {name: url for url, name in re.findall(r"(http\S+/callbacks/(\w+)\S*)\s+\(", text)}
    found["nats"] = re.findall(r"(nats://\S+)", text)[-1]
    found["health"] = re.findall(r"(http\S+/healthz)", text)[0]
    return found


async def test_up_without_settings_prints_a_curl_line_that_works(yizhan: Yizhan) -> None:
    running = await yizhan.start("up")
    urls = await greeting(running)
    text = "".join(running.lines)
    assert "development defaults" in text
    (console,) = re.findall(r"  console    (http\S+)\n", text)
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        assert "<title>Now · Yizhan</title>" in (await http.get(console)).text
        assert (await http.get(f"{console}handlers/fetch_tracking.json")).json()["policy"]
    curl = re.search(r"curl -i .*?\n\n", text, re.DOTALL)
    assert curl is not None
    words = shlex.split(curl[0].replace("\\\n", " "))
    client = await nats.connect(urls["nats"])
    events = await client.subscribe("yizhan.events.>")
    await subscribed(client)
    curling = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await curling.communicate()
    assert out.startswith(b"HTTP/1.1 200")
    event = await events.next_msg(timeout=60)
    assert event.subject == "yizhan.events.1688.payment.succeeded.2745812000123456789"
    await client.close()
    assert await running.stop(signal.SIGINT) == 0


async def test_the_development_secrets_are_private_and_stay(yizhan: Yizhan) -> None:
    for _ in range(2):
        running = await yizhan.start("up")
        await greeting(running)
        assert await running.stop() == 0
    file = yizhan.directory / "yizhan-data" / "development.toml"
    assert file.stat().st_mode & 0o077 == 0
    token = re.findall(r'path_token = "(\w+)"', file.read_text())[0]
    assert token in "".join(running.lines)


async def test_up_with_the_simulator_shows_events_and_trackings(yizhan: Yizhan) -> None:
    running = await yizhan.start("up", "--simulate", "--interval", "0.1")
    await running.line(lambda line: '"handler":"fetch_tracking"' in line and "done" in line)
    assert any("callback_stored" in line for line in running.lines)
    assert await running.stop() == 0


async def test_a_demo_ends_with_a_table_and_0(yizhan: Yizhan) -> None:
    ended = await yizhan.anew.run("demo", "--orders", "6", "--seed", "7")
    assert ended.code == 0
    rows = dict(re.findall(r"│ (.+?) +│ +(\d+) │", ended.out))
    assert int(rows["acknowledged with 200"]) == int(rows["stored"]) > 20
    assert rows["acknowledged and lost"] == rows["stored twice"] == "0"
    assert int(rows["trackings fetched"]) > 0


async def test_what_was_acknowledged_is_there_once_after_a_kill(yizhan: Yizhan) -> None:
    journal, data = yizhan.directory / "journal", yizhan.directory / "data"
    common = ("--data-dir", str(data), "--journal", str(journal))
    running = await yizhan.start("demo", "--orders", "5000", *common)
    async with asyncio.timeout(110):
        while not journal.exists() or journal.read_text().count("\n") < 100:
            await asyncio.sleep(0.02)
    running.process.kill()
    await running.process.wait()
    again = await yizhan.run("demo", "--orders", "1", *common)
    assert again.code == 0
    acknowledged = {json.loads(line)["callback_id"] for line in journal.read_text().splitlines()}
    settings = yizhan.directory / "yizhan.toml"
    settings.write_text(f'[nats]\ndata_dir = "{data}"\nport = 0\n')
    export = await yizhan.run("replay", "--since", "1h", "--to", "-")
    assert export.code == 0
    ids = [json.loads(line)["id"] for line in export.out.splitlines()]
    assert len(ids) == len(set(ids))
    assert acknowledged <= {event_id.partition(".")[0] for event_id in ids}


async def test_receive_and_work_share_what_runs(yizhan: Yizhan) -> None:
    receiving = await yizhan.anew.start("receive")
    urls = await greeting(receiving)
    working = await yizhan.anew.start("work")
    await working.line(lambda line: '"working"' in line)
    async with httpx2.AsyncClient() as http:
        assert (await http.post(urls["try"], content=BODY)).status_code == 200
        assert (await http.get(urls["health"])).status_code == 200
    assert await working.stop() == 0
    assert await receiving.stop() == 0


async def test_a_simulated_platform_pushes_to_a_running_receiver(yizhan: Yizhan) -> None:
    receiving = await yizhan.start("receive")
    urls = await greeting(receiving)
    base = urls["dev"].removesuffix("/callbacks/dev")
    ended = await yizhan.anew.run(
        "simulate", "--orders", "2", "--url", base, "--interval", "0", "--step", "0"
    )
    assert ended.code == 0
    assert "given up 0" in ended.out
    assert re.search(r"200 +\S*ORDER_CREATE", ended.out)


async def test_check_reports_what_is_well_and_what_is_not(yizhan: Yizhan) -> None:
    well = await yizhan.anew.run("check")
    assert (well.code, well.out.count("ok  ")) == (0, 10)
    assert "FAIL" not in well.out
    away = await yizhan.run("check", YIZHAN_NATS__URL="nats://127.0.0.1:9")
    assert away.code == 1
    assert "FAIL  nats" in away.out
    down = await yizhan.run("check", "--running", YIZHAN_RECEIVER__PORT="9")
    assert down.code == 1
    assert "FAIL  receiver" in down.out


async def test_check_warns_of_sources_that_share_a_secret(yizhan: Yizhan) -> None:
    one = {"dialect": "aop", "verification": "signature", "access_key": "k", "secrets": ["s" * 16]}
    sources = [{"name": name, **one} for name in ("one", "other")]
    warned = await yizhan.run("check", YIZHAN_SOURCES=json.dumps(sources))
    assert "warn  sources   one and other share a secret" in warned.out
    assert "s" * 16 not in warned.out
    assert warned.code == 0
    sources[1]["secrets"] = ["t" * 16]
    told = await yizhan.run("check", YIZHAN_SOURCES=json.dumps(sources))
    assert "share a secret" not in told.out


async def test_check_of_wrong_settings_names_every_fault(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text("[nats]\nprot = 1\n")
    ended = await yizhan.run("check")
    assert ended.code == 1
    assert "did you mean port?" in ended.out


@pytest.mark.parametrize("command", ["up", "receive", "work", "simulate", "events"])
async def test_wrong_settings_end_with_2_and_no_trace(yizhan: Yizhan, command: str) -> None:
    (yizhan.directory / "yizhan.toml").write_text("[nats]\nprot = 1\n")
    ended = await yizhan.run(command)
    assert ended.code == 2
    assert ended.err == "yizhan: yizhan.toml: nats.prot: no such setting: did you mean port?\n"


async def test_a_receiver_without_sources_refuses_to_start(yizhan: Yizhan) -> None:
    (yizhan.directory / "yizhan.toml").write_text("[nats]\nport = 0\n")
    ended = await yizhan.run("receive")
    assert ended.code == 2
    assert "sources: none is configured" in ended.err


async def test_nats_away_at_the_start_without_a_spool_answers_503(yizhan: Yizhan) -> None:
    running = await yizhan.start(
        "receive",
        YIZHAN_NATS__URL="nats://127.0.0.1:9",
        YIZHAN_RECEIVER__SPOOL_LIMIT_BYTES="0",
        YIZHAN_SOURCES=json.dumps([SOURCE]),
    )
    urls = await greeting(running)
    async with httpx2.AsyncClient() as http:
        answer = await http.post(urls["open"], content=BODY)
        ready = await http.get(urls["health"].replace("healthz", "readyz"))
        assert (answer.status_code, ready.status_code) == (503, 503)
        assert (await http.get(urls["health"])).status_code == 200
    assert await running.stop() == 0
    assert "Traceback" not in "".join(running.lines)


async def test_nats_gone_in_the_middle_is_survived(yizhan: Yizhan) -> None:
    running = await yizhan.start("receive", YIZHAN_SOURCES=json.dumps([SOURCE]))
    urls = await greeting(running)
    async with httpx2.AsyncClient() as http:
        assert (await http.post(urls["open"], content=BODY)).status_code == 200
        assert (await http.post(urls["open"], content=BODY + b" ")).status_code == 200
        kill_server(yizhan.directory)
        async with asyncio.timeout(60):
            answer = await http.post(urls["open"], content=BODY)
            while answer.json()["status"] != "duplicate":
                assert (answer.status_code, answer.json()["status"]) == (200, "spooled")
                await asyncio.sleep(0.05)
                answer = await http.post(urls["open"], content=BODY + b" ")
    assert await running.stop() == 0
    text = "".join(running.lines)
    assert "nats_server_died" in text
    assert "Traceback" not in text


def kill_server(directory: Path) -> None:
    """Kill the nats-server whose working directory is ours."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = (process / "cwd").resolve() == (directory / "yizhan-data").resolve()
            server = b"nats-server" in (process / "cmdline").read_bytes()
        except OSError:
            continue
        if here and server and b"watchdog" not in (process / "cmdline").read_bytes():
            os.kill(int(process.name), signal.SIGKILL)


async def test_help_and_version(yizhan: Yizhan) -> None:
    assert "receive" in (await yizhan.run("--help")).out
    assert re.match(r"yizhan \d+\.\d+", (await yizhan.anew.run("--version")).out)
    assert (await yizhan.run("nonsense")).code == 2


async def test_events_lists_and_writes_the_contract(yizhan: Yizhan) -> None:
    assert "payment.succeeded" in (await yizhan.anew.run("events")).out
    document = json.loads((await yizhan.run("events", "--asyncapi")).out)
    assert document["asyncapi"] == "3.0.0"
    ended = await yizhan.run("events", "--json-schema", "schemas", "--examples", "examples")
    assert ended.code == 0
    assert (yizhan.directory / "schemas" / "order.created.v1.json").is_file()
    assert len(list((yizhan.directory / "examples").glob("*.json"))) == 19


async def test_drift_lists_what_is_not_known(yizhan: Yizhan) -> None:
    running = await yizhan.start("receive")
    urls = await greeting(running)
    news = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","mood":"good"}}'
    tomorrow = b'{"messageType":"TOMORROW","messageBody":{}}'
    async with httpx2.AsyncClient() as http:
        for body in (news, news + b" ", tomorrow):
            assert (await http.post(urls["try"], content=body)).status_code == 200
    ended = await yizhan.run("events", "--drift")
    assert re.search(r"try +│ ORDER_CREATE +│ mood +│ 2 ", ended.out)
    assert re.search(r"try +│ TOMORROW +│ \(the type\) +│ 1 ", ended.out)
    await running.stop()
    assert "".join(running.lines).count('"unknown_field"') == 1


SIGNED = """
[[sources]]
name = "s"
dialect = "{dialect}"
verification = "path_token"
path_token = "{token}"
"""


async def test_sighup_exchanges_the_sources_without_dropping_a_request(yizhan: Yizhan) -> None:
    old, new = "o" * 16, "n" * 16
    file = yizhan.directory / "yizhan.toml"
    file.write_text(SIGNED.format(dialect="xport", token=old))
    running = await yizhan.start("receive")
    urls = await greeting(running)
    nats_url = (await yizhan.run("url")).out.strip()
    base = urls["health"].removesuffix("/healthz")
    statuses: list[int] = []

    async with httpx2.AsyncClient(base_url=base) as http:

        async def push_on() -> None:
            number = 0
            while True:
                number += 1
                body = BODY + b" " * number
                statuses.append((await http.post(f"/callbacks/s/{old}", content=body)).status_code)

        pushing = asyncio.create_task(push_on())
        await eventually(lambda: len(statuses) > 5)
        both = SIGNED.format(dialect="xport", token=old) + SIGNED.format(
            dialect="global", token=new
        ).replace('"s"', '"t"')
        file.write_text(both)
        running.process.send_signal(signal.SIGHUP)
        await running.line(lambda line: "sources_reloaded" in line)
        await running.line(lambda line: "streams_widened" in line)
        before = len(statuses)
        await eventually(lambda: len(statuses) > before + 5)
        pushing.cancel()
        await asyncio.wait({pushing})
        assert set(statuses) == {200}
        body = b'{"message_type":3,"data":{"purchase_id":1}}'
        assert (await http.post(f"/callbacks/t/{new}", content=body)).status_code == 200
        file.write_text("[[sources]]\n")
        running.process.send_signal(signal.SIGHUP)
        await running.line(lambda line: "sources_not_reloaded" in line)
        answer = await http.post(f"/callbacks/t/{new}", content=body)
        assert answer.json()["status"] == "duplicate"
    client = await nats.connect(nats_url)
    config = (await client.jetstream().stream_info("YIZHAN")).config
    assert config.duplicate_window == 6.5 * 3600
    await client.close()
    assert await running.stop() == 0


async def test_receive_speaks_https_and_check_asks_it(yizhan: Yizhan) -> None:
    cert, key = make_certificate(yizhan.directory, "localhost")
    (yizhan.directory / "yizhan.toml").write_text(
        f'[receiver]\ntls_cert_file = "{cert}"\ntls_key_file = "{key}"\n'
        + SIGNED.format(dialect="xport", token="t" * 16)
    )
    running = await yizhan.start("receive")
    health = (await greeting(running))["health"]
    assert health.startswith("https://")
    port = health.rpartition(":")[2].partition("/")[0]
    checked = await yizhan.run("check", "--running", YIZHAN_RECEIVER__PORT=port)
    assert (checked.code, f"https://127.0.0.1:{port}/readyz answers 200" in checked.out) == (
        0,
        True,
    )
    assert await running.stop() == 0


async def test_one_tls_file_without_the_other_is_a_sentence(yizhan: Yizhan) -> None:
    ended = await yizhan.run("check", YIZHAN_RECEIVER__TLS_CERT_FILE="cert.pem")
    assert (ended.code, "tls_key_file belong together" in ended.out) == (1, True)


async def test_check_warns_of_a_server_that_syncs_lazily(yizhan: Yizhan) -> None:
    for sync, said in (("", "warn  disk"), ("sync_interval: always", "ok    disk")):
        async with monitored_server(yizhan.directory, sync) as (url, monitor_url):
            for told, expected in ((monitor_url, said), ("", "warn  disk")):
                ended = await yizhan.run(
                    "check", YIZHAN_NATS__URL=url, YIZHAN_NATS__MONITOR_URL=told
                )
                assert (ended.code, expected in ended.out) == (0, True), ended.out
                warned = "warn" in expected
                assert ("within the last two minutes" in ended.out) is warned
                assert ("sync_interval: always" in ended.out) is warned
                assert ("nats.replicas = 3" in ended.out) is warned


async def test_check_reports_replicas_that_a_lone_server_cannot_hold(yizhan: Yizhan) -> None:
    async with monitored_server(yizhan.directory, "") as (url, _):
        ended = await yizhan.run("check", YIZHAN_NATS__URL=url, YIZHAN_NATS__REPLICAS="3")
    assert (ended.code, "nats.replicas: 3 need a cluster" in ended.out) == (1, True), ended.out


async def test_check_reports_refused_credentials(yizhan: Yizhan) -> None:
    lock = "authorization { user: u, password: p }"
    async with monitored_server(yizhan.directory, "", lock) as (url, _):
        ended = await yizhan.run("check", YIZHAN_NATS__URL=url)
    assert (ended.code, "refuses us" in ended.out) == (1, True)


@contextlib.asynccontextmanager
async def monitored_server(
    directory: Path, sync: str, more: str = ""
) -> AsyncIterator[tuple[str, str]]:
    """A plain nats-server; its URL and that of its monitoring."""
    ports = free_ports(2)
    file = directory / "server.conf"
    file.write_text(
        f'listen: "127.0.0.1:{ports[0]}"\nhttp: "127.0.0.1:{ports[1]}"\nmax_payload: 8MB\n{more}\n'
        f'jetstream {{ store_dir: "{directory / "store"}", {sync} }}\n'
    )
    server = await asyncio.create_subprocess_exec(
        server_binary(), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"nats://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    finally:
        server.kill()
        await server.wait()
