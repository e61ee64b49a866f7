"""Three nats-servers that form a JetStream cluster on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import nats

from receiver.bus.credentials import servers
from receiver.embedded.server import server_binary

_READY_S = 60.0


@dataclass
class Cluster:
    """Its URLs by server name, and its processes."""

    urls: dict[str, str]
    processes: dict[str, asyncio.subprocess.Process]

    @property
    def url(self) -> str:
        return ",".join(self.urls.values())

    async def leader_of(self, stream: str) -> str:
        client = await nats.connect(servers(self.url))
        info = await client.jetstream().stream_info(stream)
        await client.close()
        assert info.cluster is not None
        assert info.cluster.leader is not None
        return info.cluster.leader


@contextlib.asynccontextmanager
async def running_cluster(directory: Path, *, more: str = "") -> AsyncIterator[Cluster]:
    """Three servers with a leader; `more` is put into each configuration."""
    names = ("a", "b", "c")
    free = free_ports(6)
    ports, routes = dict(zip(names, free, strict=False)), dict(zip(names, free[3:], strict=True))
    listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes.values())
    cluster = Cluster({n: f"nats://127.0.0.1:{p}" for n, p in ports.items()}, {})
    try:
        for name in names:
            file = directory / f"{name}.conf"
            file.write_text(
                f'server_name: {name}\nlisten: "127.0.0.1:{ports[name]}"\nmax_payload: 8MB\n'
                f'jetstream {{ store_dir: "{directory / name}" }}\n{more}\n'
                f'cluster {{ name: c, listen: "127.0.0.1:{routes[name]}", routes: [{listed}] }}\n'
            )
            cluster.processes[name] = await asyncio.create_subprocess_exec(
                server_binary(), "-c", str(file), stderr=asyncio.subprocess.DEVNULL
            )
        await _has_a_leader(cluster)
        yield cluster
    finally:
        for process in cluster.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _has_a_leader(cluster: Cluster) -> None:
    async with asyncio.timeout(_READY_S):
        client = await nats.connect(
            servers(cluster.url), max_reconnect_attempts=-1, error_cb=_not_yet
        )
        while True:
            with contextlib.suppress(Exception):
                info = await client.jetstream(timeout=1).account_info()
                if info is not None:
                    break
            await asyncio.sleep(0.05)
        await client.close()


async def _not_yet(_: Exception) -> None:
    """The servers are starting."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
