"""nats.conf by a real nats-server: it parses, three of it are a cluster, nobody enters unasked."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nats
import pytest

from receiver.bus.embedded import server_binary
from receiver.testing import eventually
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
    await eventually(lambda: all(healthy(monitor) for _, monitor in ports), within_s=30)
    return ports


def monitored(monitor: int, page: str) -> Any:
    with urlopen(f"http://127.0.0.1:{monitor}/{page}", timeout=5) as answer:
        return json.load(answer)


def healthy(monitor: int) -> bool:
    try:
        return bool(monitored(monitor, "healthz")["status"] == "ok")
    except OSError:
        return False


async def test_three_of_it_are_a_cluster_that_keeps_three_copies(
    deploy: Path, cluster: list[tuple[int, int]]
) -> None:
    found = re.search(
        r'user: yizhan, password: "(\w+)"',
        (deploy / CREDENTIALS["compose"]).read_text(encoding="utf-8"),
    )
    assert found is not None
    client, monitor = cluster[0]
    told = monitored(monitor, "jsz")
    assert told["config"]["sync_always"] is True
    assert told["meta_cluster"]["cluster_size"] == 3
    assert told["meta_cluster"]["leader"] in SERVERS
    assert b"Authorization Violation" in await said_to_a_nameless_one(client)
    connected = await nats.connect(f"nats://yizhan:{found[1]}@127.0.0.1:{client}")
    assert connected.max_payload == 8 * 1024 * 1024
    assert len(connected.servers) == 1  # those that a server would tell of lack the password
    stream = await connected.jetstream().add_stream(name="S", subjects=["s"], num_replicas=3)
    assert stream.cluster is not None
    assert len(stream.cluster.replicas or ()) == 2
    await connected.jetstream().publish("s", b"kept")
    await connected.close()


async def said_to_a_nameless_one(port: int) -> bytes:
    """All that a server says to a client without a user; nats-py would leave its socket open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"CONNECT {}\r\nPING\r\n")
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said
