"""Proxies with the files of deploy/ (but for ports and paths), and receivers for them to serve."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from receiver.testing import eventually
from tests.certificates import make_certificate
from tests.deploy.conftest import DEPLOY, Spawn, free_port, program, replaced

NAME = "callbacks.example.com"
TOKEN = "secret-part-of-the-url"
PATH = f"/callbacks/platform/{TOKEN}"
SENDER = "127.0.0.2"
BODY = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"%d","totalAmount":100}}'


@dataclass
class Receivers:
    """Receivers that let in the sender alone, and believe a proxy on 127.0.0.1 who that is."""

    spawn: Spawn
    nats_url: str
    directory: Path
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    async def start(self, **settings: str) -> int:
        """Start one on a free port, or again on the port given."""
        port = int(settings.get("YIZHAN_RECEIVER__PORT", free_port()))
        source = {
            "name": "platform",
            "dialect": "xport",
            "verification": "path_token",
            "path_token": TOKEN,
            "allow_networks": [f"{SENDER}/32"],
        }
        environ = {
            "YIZHAN_NATS__URL": self.nats_url,
            "YIZHAN_NATS__SUBJECT_ROOT": self.directory.name,
            "YIZHAN_NATS__DATA_DIR": str(self.directory / f"data-{port}"),
            "YIZHAN_RECEIVER__PORT": str(port),
            "YIZHAN_RECEIVER__TRUSTED_PROXIES": '["127.0.0.1/32"]',
            "YIZHAN_SOURCES": json.dumps([source]),
        }
        (self.directory / f"data-{port}").mkdir(exist_ok=True)
        command = (sys.executable, "-m", "receiver", "receive")
        self.running[port] = self.spawn(f"receiver-{port}", *command, environ=environ | settings)
        await eventually(lambda: answers(port), within_s=60)
        return port

    def kill(self, port: int) -> None:
        self.running[port].kill()
        self.running[port].wait()


async def answers(port: int) -> bool:
    """Whether a receiver does; one that only listens may still be starting."""
    async with httpx2.AsyncClient(trust_env=False, verify=False) as http:
        try:
            answer = await http.get(f"http://127.0.0.1:{port}/healthz")
        except httpx2.TransportError:
            return False
    return answer.status_code == 200


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `logs` are the files it writes."""

    port: int
    logs: tuple[Path, ...]

    async def send(
        self,
        method: str = "POST",
        path: str = PATH,
        *,
        sender: str = SENDER,
        content: bytes = BODY % 1,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        transport = httpx2.AsyncHTTPTransport(local_address=sender, verify=False)
        async with httpx2.AsyncClient(transport=transport, timeout=60) as http:
            return await http.request(
                method,
                f"https://127.0.0.1:{self.port}{path}",
                content=content if method == "POST" else None,
                headers={"host": NAME, "content-type": "application/json", **(headers or {})},
                extensions={"sni_hostname": NAME},
            )

    def logged(self) -> str:
        return "".join(log.read_text(encoding="utf-8") for log in self.logs)


async def nginx(
    spawn: Spawn, directory: Path, file: str, changes: Mapping[str, str], listen: str
) -> Proxy:
    """nginx with the file of deploy/."""
    make_certificate(directory, NAME)
    port, log = free_port(), directory / "access.log"
    text = (DEPLOY / file).read_text(encoding="utf-8")
    mended = {
        **changes,
        f"listen {listen} ssl": f"listen 127.0.0.1:{port} ssl",
        "tls.crt": f"{NAME}.pem",
        "tls.key": f"{NAME}.key",
    }
    config = directory / "nginx.conf"
    config.write_text(replaced(text, mended), encoding="utf-8")
    command = (program("nginx"), "-e", "stderr", "-p", directory, "-c", config)
    spawn("nginx", *command, "-g", "daemon off;")
    await eventually(lambda: accepts(port), within_s=60)
    return Proxy(port, (log, directory / "nginx.out", directory / "error.log"))


async def nginx_of_one(spawn: Spawn, directory: Path, receiver: int) -> Proxy:
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    changes = {
        "user www-data": f"user {getpass.getuser()}",  # who may write in the test's directory
        "/etc/nginx/tls": str(directory),
        "/run/nginx.pid": f"{directory}/nginx.pid",
        "/var/log/nginx": str(directory),
        "127.0.0.1:8080": f"127.0.0.1:{receiver}",
        "http {": f"http {{\n{temporary}",
    }
    return await nginx(spawn, directory, "proxy/nginx.conf", changes, "443")


async def nginx_of_two(spawn: Spawn, directory: Path, first: int, second: int) -> Proxy:
    (directory / "error.log").touch()
    changes = {
        "/tmp/": f"{directory}/",
        "/etc/tls": str(directory),
        "/dev/stdout": f"{directory}/access.log",
        "receiver-a:8080": f"127.0.0.1:{first}",
        "receiver-b:8080": f"127.0.0.1:{second}",
    }
    return await nginx(spawn, directory, "compose/nginx.conf", changes, "8443")


async def caddy_of_one(spawn: Spawn, directory: Path, receiver: int) -> Proxy:
    cert, key = make_certificate(directory, NAME)
    port = free_port()
    site = f"https://{NAME}:{port} {{\nbind 127.0.0.1\ntls {cert} {key}\n"
    changes = {"127.0.0.1:8080": f"127.0.0.1:{receiver}", f"\n{NAME} {{\n": f"\n{site}"}
    config = directory / "Caddyfile"
    text = (DEPLOY / "proxy/Caddyfile").read_text(encoding="utf-8")
    config.write_text(replaced(text, changes), encoding="utf-8")
    files = ("--config", config, "--adapter", "caddyfile")
    home = {"XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    spawn("caddy", program("caddy"), "run", *files, environ=home)
    await eventually(lambda: accepts(port), within_s=60)
    return Proxy(port, (directory / "caddy.out",))
