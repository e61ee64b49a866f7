"""No password of NATS, and no secret of a source, is in a process list, an answer or a log."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from receiver.embedded.server import server_binary
from receiver.embedded.server_urls import announced
from receiver.embedded.users import Users
from receiver.settings.exposure import open_to_all
from receiver.testing import eventually
from tests.bus.cluster import free_ports
from tests.bus.entering import enters
from tests.cli.conftest import Running, Yizhan

TOKEN = "tokentokentokentoken"
SECRET = "secretsecretsecret"
SOURCE = f"""
[[sources]]
name = "mine"
dialect = "xport"
verification = "both"
access_key = "key"
secrets = ["{SECRET}"]
path_token = "{TOKEN}"
"""
BY_TOKEN = SOURCE.replace('"both"', '"path_token"')
OPEN_SOURCE = """
[[sources]]
name = "open"
dialect = "xport"
verification = "none"
secrets = []
"""
OPEN = {"name": "open", "dialect": "xport", "verification": "none"}
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"1","totalAmount":100}}'


@pytest.fixture
def settings(yizhan: Yizhan) -> Path:
    """A settings file with secrets, private as it should be."""
    return write(yizhan.directory / "yizhan.toml", SOURCE)


def write(file: Path, text: str, *, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


async def health(running: Running) -> str:
    """The receiver's base URL, once it serves."""
    await running.line(lambda line: line.startswith("Ctrl-C"))
    return str(re.findall(r"(http\S+)/healthz", "".join(running.lines))[0])


def passwords(yizhan: Yizhan) -> list[str]:
    urls = announced(yizhan.directory / "yizhan-data")
    assert urls is not None
    users = Users.of(urls)
    assert users is not None
    return [users.operator, users.subscriber]


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from tree(int(child))


def server_of(running: Running) -> int:
    """The process id of the embedded server."""
    every = tree(running.process.pid)
    return next(p for p in every if seen(p, "cmdline").split("\0")[0].endswith("nats-server"))


def seen(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_bytes().decode("utf-8", "replace")


def held(secrets: list[str], text: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


async def test_no_process_shows_a_secret(yizhan: Yizhan, settings: Path) -> None:
    workers = {"YIZHAN_RECEIVER__WORKERS": "2"}
    running = await yizhan.anew.start("receive", "--config", str(settings), **workers)
    await health(running)
    secrets = [*passwords(yizhan), TOKEN, SECRET]
    shown = {pid: seen(pid, "cmdline") for pid in tree(running.process.pid)}
    for expected in ("receive-worker", "yizhan-watchdog", "nats-server\0-c"):
        assert any(expected in line for line in shown.values())
    assert [held(secrets, line) for line in shown.values()] == [[]] * len(shown)
    environ = "".join(seen(pid, "environ") for pid in shown)
    assert "YIZHAN_RECEIVER__WORKERS=2" in environ
    assert held(secrets, environ) == []
    assert await running.stop() == 0


async def test_the_server_gets_no_settings_from_the_environment(yizhan: Yizhan) -> None:
    running = await yizhan.start("receive", YIZHAN_SOURCES=json.dumps([OPEN]))
    await health(running)
    below = [p for p in tree(running.process.pid) if "nats-server.conf" in seen(p, "cmdline")]
    assert server_of(running) in below
    assert not any("YIZHAN_" in seen(pid, "environ") for pid in below)


async def test_no_output_holds_a_password(yizhan: Yizhan, settings: Path) -> None:
    running = await yizhan.start("receive", YIZHAN_RECEIVER__WORKERS="2", YIZHAN_LOG__LEVEL="debug")
    base = await health(running)
    secrets = passwords(yizhan)
    async with httpx2.AsyncClient(base_url=base) as http:
        for path in ("/readyz", "/healthz", "/metrics", "/asyncapi.json", "/openapi.json"):
            answer = await http.get(path)
            assert (answer.status_code, held(secrets, answer.text)) == (200, [])
    checked = await yizhan.run("check")
    assert "ok    nats      nats://127.0.0.1:" in checked.out
    second = await yizhan.run("up", YIZHAN_RECEIVER__PORT="0")
    assert (second.code, "in use by another run (its server is nats://127" in second.err) == (
        2,
        True,
    )
    assert await running.stop() == 0
    said = [*running.lines, checked.out, checked.err, second.out, second.err]
    assert held([*secrets, TOKEN, SECRET], "".join(said)) == []
    log = (yizhan.directory / "yizhan-data" / "nats-server.log").read_text()
    assert held(secrets, log) == []


async def test_a_server_of_ones_own_is_shown_without_its_password(yizhan: Yizhan) -> None:
    password = "passwordpassword"
    (port,) = free_ports(1)
    file = yizhan.directory / "server.conf"
    file.write_text(
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n'
        f'authorization {{ user: u, password: "{password}" }}\n'
        f'jetstream {{ store_dir: "{yizhan.directory / "store"}" }}\n'
    )
    server = await asyncio.create_subprocess_exec(
        server_binary(), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
    )
    (yizhan.directory / "yizhan.toml").write_text(
        f'[nats]\nurl = "nats://u:{password}@127.0.0.1:{port}"\n{SOURCE}'
    )
    try:
        running = await yizhan.anew.start("receive", YIZHAN_RECEIVER__WORKERS="2")
        base = await health(running)
        shown = "".join(seen(pid, "cmdline") for pid in tree(running.process.pid))
        async with httpx2.AsyncClient(base_url=base) as http:
            assert (await http.get("/readyz")).json()["status"] == "ready"
            document = (await http.get("/asyncapi.json")).text
        checked = await yizhan.run("check")
        monitor = f"http://u:{password}@127.0.0.1:9"
        doubted = await yizhan.run("check", YIZHAN_NATS__MONITOR_URL=monitor)
        assert await running.stop() == 0
    finally:
        server.kill()
        await server.wait()
    assert f'"127.0.0.1:{port}"' in document
    assert f"ok    nats      nats://127.0.0.1:{port}" in checked.out
    assert "http://127.0.0.1:9/varz is no monitoring" in doubted.out
    said = [shown, document, checked.out, doubted.out, *running.lines]
    assert held([password], "".join(said)) == []


@pytest.mark.parametrize("special", ["a/b", "a#b", "a?b", "a[b"])
async def test_a_password_that_no_url_can_hold_is_refused_unseen(
    yizhan: Yizhan, special: str
) -> None:
    ended = await yizhan.run("receive", YIZHAN_NATS__URL=f"nats://u:pass{special}word@n:4222")
    assert (ended.code, "cannot stand in a URL" in ended.err) == (2, True)
    assert held(["pass", "word@"], ended.err.replace("a password", "")) == []


async def test_every_command_on_the_directory_finds_the_password(
    yizhan: Yizhan, settings: Path
) -> None:
    write(settings, BY_TOKEN)
    receiving = await yizhan.start("receive")
    base = await health(receiving)
    working = await yizhan.start("work")
    await working.line(lambda line: '"working"' in line)
    async with httpx2.AsyncClient(base_url=base) as http:
        assert (await http.post(f"/callbacks/mine/{TOKEN}", content=BODY)).status_code == 200
    replayed = await yizhan.run("replay", "--to", "-")
    assert (replayed.code, replayed.out.count("\n")) == (0, 1)
    drift = await yizhan.run("events", "--drift")
    assert (drift.code, "nothing unknown" in drift.out) == (0, True)
    drained = await yizhan.run("spool", "--drain")
    assert (drained.code, "nothing is spooled" in drained.out) == (0, True)
    checked = await yizhan.run("check")
    assert (checked.code, "server 2." in checked.out) == (0, True)
    demo = await yizhan.run("demo", "--orders", "1", "--data-dir", "yizhan-data")
    assert demo.code == 0
    assert await working.stop() == 0
    assert await receiving.stop() == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
async def test_the_password_stays_when_the_worker_takes_the_server_over(
    yizhan: Yizhan, settings: Path, ending: signal.Signals
) -> None:
    receiving = await yizhan.start("receive")
    await health(receiving)
    url = (await yizhan.run("url")).out.strip()
    working = await yizhan.start("work")
    await working.line(lambda line: '"working"' in line)
    receiving.process.send_signal(ending)
    await working.line(lambda line: "nats_server_taken_over" in line)
    assert await enters(re.sub(r":\d+$", f":{await embedded_port(yizhan)}", url))
    again = await yizhan.start("receive")
    base = await health(again)
    async with httpx2.AsyncClient(base_url=base) as http:
        assert (await http.get("/readyz")).json()["status"] == "ready"
    assert (await yizhan.run("url")).out.strip() == url
    assert await again.stop() == 0
    assert await working.stop() == 0


async def embedded_port(yizhan: Yizhan) -> str:
    printed = await yizhan.run("url")
    assert printed.code == 0, printed.err
    return printed.out.strip().rpartition(":")[2]


async def test_workers_follow_a_server_that_is_taken_over(yizhan: Yizhan, settings: Path) -> None:
    working = await yizhan.start("work")
    await working.line(lambda line: '"working"' in line)
    receiving = await yizhan.start("receive", YIZHAN_RECEIVER__WORKERS="2")
    base = await health(receiving)
    assert await working.stop() == 0
    await receiving.line(lambda line: "nats_server_taken_over" in line)

    async def ready() -> bool:
        async with httpx2.AsyncClient(base_url=base) as http:
            return "reason" not in (await http.get("/readyz")).json()

    await eventually(ready, within_s=60)
    assert await receiving.stop() == 0


async def test_a_run_with_sources_warns_of_an_open_server_that_it_shares(yizhan: Yizhan) -> None:
    working = await yizhan.start("work")
    await working.line(lambda line: '"working"' in line)
    receiving = await yizhan.start("receive", YIZHAN_SOURCES=json.dumps([OPEN]))
    await health(receiving)
    text = "".join(receiving.lines)
    assert "nats_server_open" in text
    assert "open to every process of this machine" in text


async def test_an_export_is_private(yizhan: Yizhan, settings: Path) -> None:
    write(settings, BY_TOKEN)
    receiving = await yizhan.start("receive")
    base = await health(receiving)
    async with httpx2.AsyncClient(base_url=base) as http:
        assert (await http.post(f"/callbacks/mine/{TOKEN}", content=BODY)).status_code == 200
    file = yizhan.directory / "events.jsonl"
    file.write_text("")
    file.chmod(0o644)
    before = os.umask(0)
    try:
        ended = await yizhan.run("replay", "--to", str(file), "--force")
    finally:
        os.umask(before)
    assert (ended.code, file.read_text().count("\n")) == (0, 1)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_everything_in_the_data_directory_is_private(yizhan: Yizhan) -> None:
    before = os.umask(0)
    try:
        running = await yizhan.start("receive", YIZHAN_SOURCES=json.dumps([OPEN]))
        base = await health(running)
    finally:
        os.umask(before)
    server = server_of(running)
    os.kill(server, signal.SIGSTOP)
    async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
        answer = await http.post("/callbacks/open", content=BODY)
        assert answer.json()["status"] == "spooled"
    data_dir = yizhan.directory / "yizhan-data"
    names = {path.name for path in data_dir.iterdir()}
    assert {"spool.sqlite3", "spool.sqlite3-wal", "nats-users.toml", "jetstream"} <= names
    every = [data_dir, *data_dir.rglob("*")]
    assert [path.name for path in every if path.stat().st_mode & 0o077] == []
    os.kill(server, signal.SIGCONT)
    assert await running.stop() == 0


async def test_a_settings_file_that_others_can_read_is_warned_of(
    yizhan: Yizhan, settings: Path
) -> None:
    write(settings, SOURCE, mode=0o640)
    warned = await yizhan.run("check")
    advice = "its mode 640 lets others in: chmod 600 yizhan.toml"
    assert (warned.code, advice in warned.out) == (0, True)
    running = await yizhan.start("receive")
    await health(running)
    assert sum(advice in line for line in running.lines) == 1
    write(settings, SOURCE)
    assert "chmod" not in (await yizhan.run("check")).out


async def test_a_settings_file_without_secrets_may_be_read(yizhan: Yizhan, settings: Path) -> None:
    write(settings, OPEN_SOURCE, mode=0o644)
    assert "chmod" not in (await yizhan.run("check")).out
    write(settings, '[nats]\nurl = "nats://u:passwordpassword@127.0.0.1:9"\n', mode=0o644)
    assert "chmod 600 yizhan.toml" in (await yizhan.run("check")).out


async def test_a_secret_file_that_every_user_may_read_is_warned_of(yizhan: Yizhan) -> None:
    token = write(yizhan.directory / "token", f"{TOKEN}\n", mode=0o644)
    secret = write(yizhan.directory / "secret", f"{SECRET}\n", mode=0o640)
    api = f'[api]\naccess_key = "k"\nbase_url = "http://127.0.0.1:9"\nsecret_file = "{secret}"\n'
    by_file = BY_TOKEN.replace(f'path_token = "{TOKEN}"', f'path_token_file = "{token}"')
    write(yizhan.directory / "yizhan.toml", by_file + api)
    advice = f"sources[0].path_token_file: every user of this machine may read {token} (mode 644)"
    checked = await yizhan.run("check")
    assert advice in checked.out
    assert f"chmod o= {token}" in checked.out
    assert "api.secret_file:" not in checked.out
    running = await yizhan.start("up")
    base = await health(running)
    assert sum(advice in line for line in running.lines) == 1
    async with httpx2.AsyncClient(base_url=base) as http:
        answer = await http.post(f"/callbacks/mine/{TOKEN}", content=BODY)
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")
    assert await running.stop() == 0
    assert held([TOKEN, SECRET], "".join([checked.out, *running.lines])) == []


@pytest.mark.parametrize(
    ("mode", "flags", "open_"),
    [(0o644, 0, True), (0o604, 0, True), (0o640, 0, False), (0o444, os.ST_RDONLY, False)],
)
def test_a_read_only_mount_excuses_a_mode(mode: int, flags: int, open_: bool) -> None:
    assert open_to_all(mode, flags) is open_


async def test_weak_protection_is_warned_of_at_the_start_and_by_check(yizhan: Yizhan) -> None:
    write(yizhan.directory / "yizhan.toml", OPEN_SOURCE)
    host = "0.0.0.0"
    checked = await yizhan.run("check", YIZHAN_RECEIVER__HOST=host)
    assert re.search(r'warn  settings +sources: open has verification = "none"', checked.out)
    assert checked.code == 0
    running = await yizhan.start("receive", YIZHAN_RECEIVER__HOST=host)
    await running.line(lambda line: '"protection_weak"' in line and "whoever reaches" in line)
    await health(running)
    assert await running.stop() == 0
