"""Faults of one of three servers: killed, frozen, its network cut."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import nats
from nats.errors import Error as NatsError

from bench.faults.sender import Forging
from bench.faults.shell import need_root, run_command
from bench.faults.stage import Fault, Happened, SkippedError, under_load
from bench.faults.tree import NatsServer, Receiver
from receiver.bus.credentials import servers

_NAMES = ("a", "b", "c")
_NETWORK = "10.77.93"
_BRIDGE = "yzfaults"
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three servers by name, and where they listen."""

    nodes: dict[str, NatsServer]
    hosts: dict[str, str]

    @property
    def url(self) -> str:
        """Of all of them."""
        return ",".join(f"nats://{host}:4222" for host in self.hosts.values())

    async def leader(self) -> str:
        """The name of the leader of the stream."""
        client = await nats.connect(servers(self.url))
        info = await client.jetstream().stream_info("YIZHAN")
        await client.close()
        assert info.cluster is not None
        assert info.cluster.leader is not None
        return info.cluster.leader


@contextlib.asynccontextmanager
async def _networks() -> AsyncIterator[None]:
    """A network namespace for each server, on one bridge."""
    need_root("a network namespace")
    if not shutil.which("ip"):
        raise SkippedError("`ip` is missing: on Debian, apt-get install iproute2")
    try:
        await run_command("ip", "link", "add", _BRIDGE, "type", "bridge")
        await run_command("ip", "address", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
        await run_command("ip", "link", "set", _BRIDGE, "up")
        for number, name in enumerate(_NAMES, start=2):
            space, outer, inner = f"yz-{name}", f"yz-{name}-out", f"yz-{name}-in"
            await run_command("ip", "netns", "add", space)
            await run_command(
                "ip", "link", "add", outer, "type", "veth", "peer", inner, "netns", space
            )
            await run_command("ip", "link", "set", outer, "master", _BRIDGE, "up")
            within = ("ip", "-n", space)
            await run_command(*within, "address", "add", f"{_NETWORK}.{number}/24", "dev", inner)
            await run_command(*within, "link", "set", inner, "up")
            await run_command(*within, "link", "set", "lo", "up")
        yield
    finally:
        for name in _NAMES:
            # The link goes at once; with its namespace it would go at some later time.
            with contextlib.suppress(SkippedError):
                await run_command("ip", "link", "delete", f"yz-{name}-out")
            with contextlib.suppress(SkippedError):
                await run_command("ip", "netns", "delete", f"yz-{name}")
        with contextlib.suppress(SkippedError):
            await run_command("ip", "link", "delete", _BRIDGE)


@contextlib.asynccontextmanager
async def _cluster(directory: Path) -> AsyncIterator[Cluster]:
    hosts = {name: f"{_NETWORK}.{n}" for n, name in enumerate(_NAMES, start=2)}
    routes = ", ".join(f'"nats://{host}:6222"' for host in hosts.values())
    async with _networks():
        nodes = {
            name: NatsServer(
                directory,
                name,
                f'server_name: {name}\nlisten: "{host}:4222"\nmax_payload: 8MB\n'
                f'jetstream {{ store_dir: "{directory / name}", sync_interval: always }}\n'
                f'cluster {{ name: faults, listen: "{host}:6222", routes: [{routes}] }}\n',
                prefix=("ip", "netns", "exec", f"yz-{name}"),
            )
            for name, host in hosts.items()
        }
        cluster = Cluster(nodes, hosts)
        try:
            for node in nodes.values():
                await node.start()
            await _has_a_leader(cluster)
            yield cluster
        finally:
            for node in nodes.values():
                await node.kill()


async def _has_a_leader(cluster: Cluster) -> None:
    async with asyncio.timeout(_READY_S):
        client = await nats.connect(
            servers(cluster.url), max_reconnect_attempts=-1, error_cb=_not_yet
        )
        while True:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await client.jetstream(timeout=1).account_info()
                break
            await asyncio.sleep(0.1)
        await client.close()


async def _not_yet(_: Exception) -> None:
    """The servers are starting."""


Hurt = Callable[[Cluster, str], Awaitable[None]]


def _one_of_three(hurt_one: Hurt, lasts_s: float) -> Callable[[Path], Awaitable[Happened]]:
    """The leader of the stream is hurt: any other server would be missed less."""

    async def run(directory: Path) -> Happened:
        async with _cluster(directory) as cluster:
            receiver = Receiver(
                directory, nats_url=cluster.url, more={"YIZHAN_NATS__REPLICAS": "3"}
            )

            async def hurt() -> None:
                await hurt_one(cluster, await cluster.leader())

            return await under_load(receiver, hurt, lasts_s=lasts_s)

    return run


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


async def _killed(cluster: Cluster, name: str) -> None:
    await cluster.nodes[name].kill()
    await asyncio.sleep(15)
    await cluster.nodes[name].start()
    await asyncio.sleep(5)


async def _frozen(cluster: Cluster, name: str) -> None:
    cluster.nodes[name].signal(signal.SIGSTOP)
    await asyncio.sleep(20)
    cluster.nodes[name].signal(signal.SIGCONT)
    await asyncio.sleep(5)


async def _cut(cluster: Cluster, name: str) -> None:
    await run_command("ip", "link", "set", f"yz-{name}-out", "down")
    await asyncio.sleep(20)
    await run_command("ip", "link", "set", f"yz-{name}-out", "up")
    await asyncio.sleep(5)


async def _signatures_replayed(directory: Path) -> Happened:
    """By two receivers: the forgeries go to the one that did not see the signature."""
    async with _cluster(directory) as cluster:
        more = {"YIZHAN_NATS__REPLICAS": "3"}
        receiver, other = (
            Receiver(_made(directory / name), nats_url=cluster.url, more=more)
            for name in ("one", "other")
        )
        await other.start()

        async def hurt() -> None:
            await asyncio.sleep(5)
            name = await cluster.leader()
            await cluster.nodes[name].kill()
            await asyncio.sleep(10)
            await cluster.nodes[name].start()
            await asyncio.sleep(10)

        happened = await under_load(
            receiver, hurt, lasts_s=25, forging=Forging(other.port, share=0.3)
        )
        await other.settled()
        await other.stop()
        return happened


FAULTS = (
    Fault(
        "signatures_replayed_on_three",
        "cluster: replayed signatures, the leader `kill -9`",
        "Three nats-servers, streams with three replicas, two receivers. After three of ten stored "
        "callbacks another body goes to the other receiver under the same signature; meanwhile the "
        "leader is killed, and started again after 10 s.",
        _signatures_replayed,
    ),
    Fault(
        "one_of_three_killed",
        "cluster: the leader `kill -9`",
        "Three nats-servers, each in a network namespace, streams with three replicas. The leader "
        "of the stream is killed, and started again after 15 s.",
        _one_of_three(_killed, 20),
    ),
    Fault(
        "one_of_three_frozen",
        "cluster: the leader frozen for 20 s",
        "The same cluster; the leader gets SIGSTOP for 20 s.",
        _one_of_three(_frozen, 25),
    ),
    Fault(
        "one_of_three_cut",
        "cluster: the leader's network cut for 20 s",
        "The same cluster; the leader's link is down for 20 s, to the receiver and to the others.",
        _one_of_three(_cut, 25),
    ),
)
