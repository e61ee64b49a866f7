"""`yizhan check` beside `yizhan up` in broken situations: both fail, for the same reason."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import nats
import pytest
from nats.aio.client import Client

from receiver.testing import eventually
from tests.bus.cluster import free_ports
from tests.bus.plain_server import plain_server
from tests.cli.conftest import Yizhan
from tests.cli.test_secrets import server_of
from tests.freezing import freeze

CASES = Path(__file__).parents[1] / "fixtures" / "cases"
SOURCE = (
    '[[sources]]\nname = "s"\ndialect = "xport"\nverification = "path_token"\n'
    f'path_token = "{"t" * 16}"\n'
)
HANDLERS = """\
from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderClosed

router = Router()


@router.on(OrderClosed)
async def slow(event: Event[OrderClosed], ctx: Context) -> None:
    print("handled")
"""
USER = (
    'authorization { users: [{ user: u, password: p, permissions: { publish: ["$JS.API.>"] } }] }'
)
DENIED = (
    "authorization { users: [{ user: u, password: p, permissions: "
    '{ publish: { allow: ">", deny: "SUBJECT" } } }] }'
)

Prepare = Callable[[Client], Awaitable[None]]


def stream(**changes: Any) -> Prepare:
    """Makes the stream as it is in the case, with `changes`."""

    async def prepare(client: Client) -> None:
        await asked(client, "STREAM.CREATE.YIZHAN", {"name": "YIZHAN", **changes})

    return prepare


def case(name: str) -> Prepare:
    """Sends the request of a case's script."""

    async def prepare(client: Client) -> None:
        text = next((CASES / name).glob("*.sh")).read_text()
        found = re.search(r"nats req '\$JS\.API\.(\S+)' '(.*)'", text)
        assert found is not None
        await asked(client, found[1], json.loads(found[2]))

    return prepare


async def consumer(client: Client) -> None:
    await asked(client, "STREAM.CREATE.YIZHAN", {"name": "YIZHAN", "subjects": ["yizhan.in.>"]})
    config = {"durable_name": "handler-slow", "ack_policy": "explicit", "max_batch": 1}
    body = {"stream_name": "YIZHAN", "action": "create", "config": config}
    await asked(client, "CONSUMER.CREATE.YIZHAN.handler-slow", body)


async def others(client: Client) -> None:
    await asked(client, "STREAM.CREATE.O", {"name": "O", "subjects": ["yizhan.in.callbacks.>"]})


async def asked(client: Client, verb: str, body: dict[str, Any]) -> None:
    reply = json.loads((await client.request(f"$JS.API.{verb}", json.dumps(body).encode())).data)
    assert "error" not in reply, reply


@dataclass
class Situation:
    """Settings, what stands in the directory, and what NATS is like where it is not embedded."""

    reason: str
    settings: str = SOURCE
    environ: dict[str, str] = field(default_factory=dict)
    prepare: Prepare | None = None
    server: str | None = None
    stores: bool = True
    login: str = ""


WITHOUT_JETSTREAM = re.sub(
    "listen:.*",
    "",
    (CASES / "check-says-ok-and-start-fails" / "nats-without-jetstream.conf").read_text(),
)
INPUT = {"subjects": ["yizhan.in.>"]}
SITUATIONS: dict[str, Situation] = {
    "no source": Situation("sources: none is configured", settings="[receiver]\nport = 0\n"),
    "unknown setting": Situation("did you mean port", settings="[nats]\nprot = 1\n"),
    "no secret": Situation("needs path_token", settings=SOURCE.replace("path_token = ", "#")),
    "no such module": Situation("no module 'gone'", environ={"HANDLERS__LOAD": '["gone:router"]'}),
    "no router": Situation("not a Router", environ={"HANDLERS__LOAD": '["my:slow"]'}),
    "no certificate": Situation(
        r"tls_cert_file",
        environ={"RECEIVER__TLS_CERT_FILE": "no.pem", "RECEIVER__TLS_KEY_FILE": "no.pem"},
    ),
    "port taken": Situation("cannot listen on", environ={"RECEIVER__PORT": "TAKEN"}),
    "foreign host": Situation("cannot listen on", environ={"RECEIVER__HOST": "203.0.113.1"}),
    "directory is a file": Situation("not a directory", environ={"NATS__DATA_DIR": "my.py"}),
    "spool below a file": Situation(
        "not a directory: .*spool_limit_bytes", environ={"NATS__DATA_DIR": "my.py"}, server=""
    ),
    "NATS port taken": Situation(r"nats\.port: \d+ is taken", environ={"NATS__PORT": "TAKEN"}),
    "API path": Situation(
        r"api\.paths",
        settings=SOURCE + '[api]\naccess_key = "k"\nsecret = "s"\n[api.paths]\nnone = "/x"\n',
    ),
    "API URL": Situation(
        r"api\.base_url",
        settings=SOURCE + '[api]\naccess_key = "k"\nsecret = "s"\nbase_url = "http://"\n',
    ),
    "no credentials": Situation(
        "credentials_file: no.creds: no such", environ={"NATS__CREDENTIALS_FILE": "no.creds"}
    ),
    "unfit authority": Situation("PEM files", environ={"NATS__TLS_CA_FILE": "my.py"}, server=""),
    "no JetStream": Situation("runs without JetStream", server=WITHOUT_JETSTREAM, stores=False),
    "a permission": Situation(r'(?i)publish to "yizhan\.in', server=USER, login="u:p@"),
    "the right to acknowledge": Situation(
        r'"\$JS\.ACK\.YIZHAN\.handler-slow\..* publish to "\$JS\.ACK\.YIZHAN\.>"',
        server=DENIED.replace("SUBJECT", "$JS.ACK.>"),
        login="u:p@",
    ),
    "the right to make a stream": Situation(
        r'(?i)publish to "\$JS\.API\.STREAM\.CREATE\.YIZHAN"',
        server=DENIED.replace("SUBJECT", "$JS.API.STREAM.CREATE.>"),
        login="u:p@",
    ),
    "the right to look at a stream": Situation(
        r'to publish to "\$JS\.API\.STREAM\.INFO\.YIZHAN"',
        server=DENIED.replace("SUBJECT", "$JS.API.STREAM.INFO.>"),
        login="u:p@",
    ),
    "the right to get answers": Situation(
        r'to subscribe to "_INBOX\.>"',
        server=DENIED.replace("publish", "subscribe").replace("SUBJECT", "_INBOX.>"),
        login="u:p@",
    ),
    "monitor": Situation(
        r"nats\.monitor_url: write the `http` address",
        environ={"NATS__MONITOR_URL": "host:8222"},
        server="",
    ),
    "replicas": Situation("need a cluster", environ={"NATS__REPLICAS": "3"}, server=""),
    "few messages": Situation(
        "keeps 5 messages", server="", prepare=case("stream-limits-discard-acknowledged")
    ),
    "an hour": Situation(
        "after 1:00:00", server="", prepare=case("stream-refused-told-as-nats-away")
    ),
    "whole root": Situation(
        r"takes yizhan\.>, which overlaps", server="", prepare=stream(subjects=["yizhan.>"])
    ),
    "discard new": Situation(
        "discard new", server="", prepare=stream(**INPUT, discard="new", max_bytes=10**9)
    ),
    "interest": Situation("retention", server="", prepare=stream(**INPUT, retention="interest")),
    "others' subjects": Situation(
        r"already takes subjects of YIZHAN.*nats\.subject_root", server="", prepare=others
    ),
    "a consumer": Situation("handler-slow .*max_batch", server="", prepare=consumer),
}


@contextlib.asynccontextmanager
async def situation(yizhan: Yizhan, found: Situation) -> AsyncIterator[dict[str, str]]:
    """The environment of the commands."""
    directory = yizhan.directory
    (directory / "my.py").write_text(HANDLERS)
    file = directory / "yizhan.toml"
    file.write_text(found.settings)
    file.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {"HANDLERS__LOAD": '["my:router"]', **found.environ}
        environ = {f"YIZHAN_{k}": v.replace("TAKEN", port) for k, v in environ.items()}
        if found.server is None:
            yield environ
            return
        async with plain_server(directory, found.server, stores=found.stores) as address:
            url = f"nats://{found.login}{address}"
            client = await connected(url)
            if found.prepare is not None:
                await found.prepare(client)
            await client.close()
            yield environ | {"YIZHAN_NATS__URL": url}


async def connected(url: str) -> Client:
    """A client of a server that may be just starting."""

    async def not_yet(_: Exception) -> None:
        """The server is starting."""

    return await nats.connect(
        url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=not_yet
    )


@pytest.mark.parametrize("name", SITUATIONS)
async def test_check_and_up_fail_for_the_same_reason(yizhan: Yizhan, name: str) -> None:
    found = SITUATIONS[name]
    async with situation(yizhan, found) as environ:
        checked = await yizhan.run("check", within_s=90, **environ)
        started = await yizhan.run("up", within_s=90, **environ)
    assert (checked.code, started.code) == (1, 2), (checked, started)
    failed = [line for line in checked.out.splitlines() if line.startswith("FAIL")]
    assert re.search(found.reason, "\n".join(failed)), checked
    assert re.search(found.reason, started.err), started
    assert "handler_started" not in started.out


async def readiness(yizhan: Yizhan, environ: dict[str, str]) -> str:
    """What `/readyz` says of a run that stays without NATS."""
    running = await yizhan.start("up", **environ)
    line = await running.line(lambda line: "/readyz" in line)
    (url,) = re.findall(r"http\S+/readyz", line)
    async with httpx2.AsyncClient(timeout=60) as http:
        reason = str((await http.get(url)).json()["reason"])
    assert await running.stop() == 0
    return reason


async def test_check_and_up_distinguish_refused_credentials_from_an_outage(yizhan: Yizhan) -> None:
    found = Situation("", server=USER, login="u:p@")
    async with situation(yizhan, found) as environ:
        environ["YIZHAN_NATS__URL"] = environ["YIZHAN_NATS__URL"].replace("u:p@", "u:wrong@")
        checked = await yizhan.run("check", within_s=90, **environ)
        reason = await readiness(yizhan, environ)
    assert (checked.code, "refuses us: Authorization Violation" in checked.out) == (1, True)
    assert checked.err == ""
    assert reason == "NATS refuses: Authorization Violation"


async def test_check_and_up_report_an_outage(yizhan: Yizhan) -> None:
    async with situation(yizhan, Situation("")) as environ:
        environ["YIZHAN_NATS__URL"] = "nats://127.0.0.1:9"
        checked = await yizhan.run("check", within_s=90, **environ)
        reason = await readiness(yizhan, environ)
    assert (checked.code, "does not answer: start it" in checked.out) == (1, True)
    assert reason == "NATS is away"


async def test_check_distinguishes_a_frozen_embedded_server_from_none(yizhan: Yizhan) -> None:
    async with situation(yizhan, Situation("")) as environ:
        running = await yizhan.start("up", **environ)
        await running.line(lambda line: line.startswith("Ctrl-C"))
        server = server_of(running)
        await freeze(server)
        frozen = await yizhan.run("check", within_s=90, **environ)
        os.kill(server, signal.SIGCONT)
        assert await running.stop() == 0
        none = await yizhan.run("check", within_s=90, **environ)
    assert (frozen.code, none.code) == (1, 0), (frozen, none)
    assert f"another run (process {server}), does not answer" in frozen.out
    assert "embedded, not running now" in none.out


async def test_callbacks_are_spooled_while_the_stream_would_drop_them(yizhan: Yizhan) -> None:
    async with situation(yizhan, Situation("", server="")) as environ:
        running = await yizhan.start("receive", **environ)
        line = await running.line(lambda line: "/readyz" in line)
        (base,) = re.findall(r"(http\S+)/readyz", line)
        client = await connected(environ["YIZHAN_NATS__URL"])
        config = (await client.jetstream().stream_info("YIZHAN")).config
        await client.jetstream().update_stream(config, max_msgs=5)
        await running.line(lambda line: "stream_contradicts_settings" in line)
        async with httpx2.AsyncClient(base_url=base, timeout=60) as http:
            answer = await http.post(f"/callbacks/s/{'t' * 16}", content=b'{"messageType":"X"}')
            told = (await http.get("/readyz")).json()
        await client.close()
        assert await running.stop() == 0
    assert (answer.status_code, answer.json()["status"]) == (200, "spooled")
    assert "keeps 5 messages and drops older ones" in told["reason"]


async def test_check_and_up_agree_on_what_an_embedded_server_has_stored(yizhan: Yizhan) -> None:
    async with situation(yizhan, Situation("")) as environ:
        running = await yizhan.start("up", **environ)
        await running.line(lambda line: line.startswith("Ctrl-C"))
        assert await running.stop() == 0
        environ["YIZHAN_NATS__MAX_AGE_DAYS"] = "91"
        checked = await yizhan.run("check", within_s=90, **environ)
        started = await yizhan.run("up", within_s=90, **environ)
    assert (checked.code, started.code) == (1, 2)
    for said in (checked.out, started.err):
        assert "set nats.max_age_days to 90, or run `yizhan retention apply`" in said


async def test_check_and_up_warn_of_a_server_that_takes_less_than_the_settings(
    yizhan: Yizhan,
) -> None:
    warning = "max_payload is 1048576: a callback that is larger with its headers is answered 413"
    async with situation(yizhan, Situation("", server="max_payload: 1MB")) as environ:
        checked = await yizhan.run("check", within_s=90, **environ)
        running = await yizhan.start("up", **environ)
        line = await running.line(lambda line: "stream_bounds" in line)
        assert await running.stop() == 0
    assert checked.code == 0
    assert warning in checked.out
    assert warning in line


async def test_check_and_up_agree_where_all_is_well(yizhan: Yizhan) -> None:
    copy = {"name": "COPY", "subjects": ["yizhan.events.>"]}

    async def prepare(client: Client) -> None:
        await asked(client, "STREAM.CREATE.COPY", copy)

    async with situation(yizhan, Situation("", server="", prepare=prepare)) as environ:
        before = await yizhan.run("check", within_s=90, **environ)
        running = await yizhan.start("up", **environ)
        await running.line(lambda line: line.startswith("Ctrl-C"))
        after = await yizhan.run("check", within_s=90, **environ)
        assert await running.stop() == 0
    assert (before.code, after.code) == (0, 0), (before, after)
    assert "warn  nats      the stream COPY stores a copy of yizhan.events.>" in before.out
    assert "stream YIZHAN is not there yet: a start makes it" in before.out
    assert "stream YIZHAN_RUNS is not there yet: the handlers make it" in before.out
    assert "stream KV_YIZHAN_STATE is not there yet: the handlers make it" in before.out
    assert "stream KV_YIZHAN_STATE, 0 entries" in after.out
    assert "stream YIZHAN, 0 messages" in after.out
    assert "stream YIZHAN_RUNS, 0 messages" in after.out


async def test_check_and_up_say_that_yizhan_runs_here(yizhan: Yizhan) -> None:
    async with situation(yizhan, Situation("")) as environ:
        (port,) = free_ports(1)
        environ["YIZHAN_RECEIVER__PORT"] = str(port)
        running = await yizhan.start("up", **environ)
        await running.line(lambda line: line.startswith("Ctrl-C"))
        checked = await yizhan.run("check", within_s=90, **environ)
        second = await yizhan.run("up", within_s=90, **environ)
        nats_port = re.findall(r"nats://\S*:(\d+)", checked.out)[0]
        elsewhere = {"YIZHAN_NATS__DATA_DIR": "elsewhere", "YIZHAN_NATS__PORT": nats_port}
        beside = await yizhan.run("check", within_s=90, **environ | elsewhere)
        await freeze(server_of(running))

        async def said_to_spool() -> bool:  # once what the receiver saw last is older than a moment
            spooling = await yizhan.run("check", within_s=90, **environ)
            return "but callbacks go to the spool" in spooling.out

        await eventually(said_to_spool, within_s=90)
        os.kill(server_of(running), signal.SIGCONT)
        assert await running.stop() == 0
    assert (checked.code, second.code) == (0, 2), (checked, second)
    assert f"ok    port      yizhan is running here, on 127.0.0.1:{port}, and ready" in checked.out
    assert f"yizhan is running here already, on 127.0.0.1:{port}: stop it" in second.err
    assert f"nats.port: {nats_port} is taken, probably by the yizhan that is running" in beside.out


@pytest.mark.parametrize("monitor", ["http://127.0.0.1:9", "ITSELF"])
async def test_check_and_up_warn_of_a_wrong_monitor_in_the_same_words(
    yizhan: Yizhan, monitor: str
) -> None:
    async with situation(yizhan, Situation("", server="")) as environ:
        itself = environ["YIZHAN_NATS__URL"].replace("nats://", "http://")
        environ["YIZHAN_NATS__MONITOR_URL"] = monitor.replace("ITSELF", itself)
        checked = await yizhan.run("check", within_s=90, **environ)
        running = await yizhan.start("up", YIZHAN_LOG__FORMAT="json", **environ)
        line = await running.line(lambda line: '"durability_in_doubt"' in line)
        assert await running.stop() == 0
    assert checked.code == 0, checked
    (warned,) = re.findall(r"warn  disk +(.*)", checked.out)
    assert "within the last two minutes (the server's default) is lost" in warned
    assert "nats.monitor_url: http://127.0.0.1:" in warned
    assert json.loads(line)["action"] == warned
