"""nats.conf by a real nats-server: it parses, three of it are a cluster, nobody enters unasked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nats
import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects, input_subject
from receiver.embedded.server import server_binary
from receiver.testing import eventually, make_event
from schemas.events import PaymentSucceeded
from tests.bus.test_rights import RIGHTS
from tests.deploy.conftest import Spawn, documents, free_port, replaced
from tests.deploy.test_secrets import CREDENTIALS, EACH_PLATFORM

SERVERS = ("nats-1", "nats-2", "nats-3")


def variables(deploy: Path, platform: str) -> dict[str, str]:
    """What the server's environment holds there."""
    if platform == "compose":
        (compose,) = documents(deploy / "compose/compose.yaml")
        given = compose["services"]["nats-1"]["environment"]
        return {name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value) for name, value in given.items()}
    stateful = next(
        d for d in documents(deploy / "kubernetes/nats.yaml") if "replicas" in d["spec"]
    )
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    return {"SERVER_NAME": "nats-0"} | {
        entry["name"]: entry["value"] for entry in container["env"] if "value" in entry
    }


def config(deploy: Path, platform: str, directory: Path, changes: Mapping[str, str]) -> Path:
    """The files as they lie in the container."""
    text = (deploy / "nats/nats.conf").read_text(encoding="utf-8")
    secret = (deploy / CREDENTIALS[platform]).read_text(encoding="utf-8")
    files = {
        "nats/nats.conf": {k: v for k, v in changes.items() if k in text},
        "nats-secrets/credentials.conf": {k: v for k, v in changes.items() if k not in text},
    }
    for (name, mended), content in zip(files.items(), (text, secret), strict=True):
        (directory / name).parent.mkdir(parents=True)
        (directory / name).write_text(replaced(content, mended), encoding="utf-8")
    return directory / "nats/nats.conf"


@EACH_PLATFORM
def test_the_servers_configuration_is_valid(deploy: Path, tmp_path: Path, platform: str) -> None:
    file = config(deploy, platform, tmp_path, {"/data": str(tmp_path)})
    checked = subprocess.run(
        [server_binary(), "-c", file, "-t"],
        env=os.environ | variables(deploy, platform),
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


@pytest.fixture
async def cluster(deploy: Path, tmp_path: Path, spawn: Spawn) -> list[tuple[int, int]]:
    """The three servers of compose on loopback: their ports for clients and for monitoring."""
    routes = {name: f"127.0.0.1:{free_port()}" for name in SERVERS}
    ports = [(free_port(), free_port()) for _ in SERVERS]
    for name, (client, monitor) in zip(SERVERS, ports, strict=True):
        directory = tmp_path / name
        file = config(
            deploy,
            "compose",
            directory,
            {
                "/data": str(directory / "data"),
                "0.0.0.0:4222": f"127.0.0.1:{client}",
                "0.0.0.0:6222": routes[name],
                **{f"{other}:6222": route for other, route in routes.items()},
            },
        )
        environ = variables(deploy, "compose") | {
            "SERVER_NAME": name,
            "MONITOR": f"127.0.0.1:{monitor}",
            "MAX_FILE_STORE": "1GB",
        }
        spawn(name, server_binary(), "-c", file, environ=environ)
    await eventually(lambda: all(healthy(monitor) for _, monitor in ports), within_s=60)
    return ports


def monitored(monitor: int, page: str) -> Any:
    with urlopen(f"http://127.0.0.1:{monitor}/{page}", timeout=5) as answer:
        return json.load(answer)


def healthy(monitor: int) -> bool:
    try:
        return bool(monitored(monitor, "healthz")["status"] == "ok")
    except OSError:
        return False


def password(deploy: Path, user: str) -> str:
    """Of a user of compose's NATS."""
    text = (deploy / CREDENTIALS["compose"]).read_text(encoding="utf-8")
    found = re.search(rf'user: {user}, password: "(\w+)"', text)
    assert found is not None
    return found[1]


async def test_three_of_it_are_a_cluster_that_keeps_three_copies(
    deploy: Path, cluster: list[tuple[int, int]]
) -> None:
    client, monitor = cluster[0]
    told = monitored(monitor, "jsz")
    assert told["config"]["sync_always"] is True
    assert told["meta_cluster"]["cluster_size"] == 3
    assert told["meta_cluster"]["leader"] in SERVERS
    assert b"Authorization Violation" in await said_to_a_nameless_one(client)
    url = f"nats://yizhan:{password(deploy, 'yizhan')}@127.0.0.1:{client}"
    connected = await nats.connect(url)
    assert connected.max_payload == 8 * 1024 * 1024
    assert len(connected.servers) == 1  # those that a server would tell of lack the password
    stream = await connected.jetstream().add_stream(name="S", subjects=["s"], num_replicas=3)
    assert stream.cluster is not None
    assert len(stream.cluster.replicas or ()) == 2
    await connected.close()


class Refusals:
    """What the server refused to one client."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def add(self, error: Exception) -> None:
        self.said.append(str(error).lower())

    def last_names(self, subject: str) -> bool:
        return bool(self.said) and f'publish to "{subject.lower()}"' in self.said[-1]


async def test_each_user_may_do_what_it_needs_and_none_may_publish_events(
    deploy: Path, cluster: list[tuple[int, int]]
) -> None:
    port, subjects = cluster[0][0], Subjects()
    own = f"nats://yizhan:{password(deploy, 'yizhan')}@127.0.0.1:{port}"
    reader = f"nats://subscriber:{password(deploy, 'subscriber')}@127.0.0.1:{port}"
    event = encode_event(make_event(PaymentSucceeded(channel="1688", order_id="1")), subjects)
    connection = Connection(own, plans(subjects, [timedelta(hours=1)], replicas=3))
    assert await connection.start(patience_s=30)
    assert await connection.missing(connection.client, RIGHTS) == []
    refusals = Refusals()
    subscriber = await nats.connect(reader, error_cb=refusals.add)
    live = await subscriber.subscribe(subjects.all_events)
    durable = await subscriber.jetstream().pull_subscribe(
        subjects.all_events, durable="mine", stream=subjects.stream
    )
    publisher = JetStreamPublisher(connection, timeout_s=10)
    await publisher.publish([event])
    assert (await live.next_msg(timeout=60)).subject == event.subject
    (fetched,) = await durable.fetch(1, timeout=60)
    await fetched.ack_sync(timeout=60)
    for subject in (event.subject, input_subject(event.subject), "yizhan.dead.x"):
        await subscriber.publish(subject, b"forged")
        await eventually(partial(refusals.last_names, subject))
    with pytest.raises(NatsTimeoutError):
        await connection.client.request(event.subject, b"forged", timeout=1)
    info = await connection.jetstream.stream_info(subjects.stream)
    assert info.state.messages == 1
    await subscriber.close()
    await connection.stop()


async def said_to_a_nameless_one(port: int) -> bytes:
    """All that a server says to a client without a user; nats-py would leave its socket open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"CONNECT {}\r\nPING\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said
