"""Three worker processes on events of orders, and what is done to them meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from nats.errors import Error as NatsError

from bench.chaos_handlers.effects import Effects, World, judge_effects
from bench.chaos_handlers.judge import Run, Verdict, judge, last_note, read_runs
from bench.chaos_handlers.worker import work
from bench.faults.tree import NatsServer
from bench.processes import free_port
from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import encode_hpub
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.event import Event
from receiver.testing import make_event
from receiver.worker.effects.states import read_record
from schemas.events import OrderCreated

WORKERS = 3
HANDLER = "chaos"
_SUBJECTS = Subjects()
_POLL_S = 0.05
_PATIENCE_S = 600.0
_STALLED_S = 60.0
"""Nothing was handled to an end for so long: the rest is dead letters, or lost."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many events of how many orders."""

    events: int = 20_000
    orders: int = 2_000


@dataclass
class Stage:
    """Servers, worker processes, and who was hurt when (by the machine's monotonic clock)."""

    directory: Path
    servers: dict[str, NatsServer]
    url: str
    connection: Connection
    load: Load
    killer: str = ""
    world: Path | None = None
    workers: dict[str, BaseProcess] = field(default_factory=dict)
    died: dict[str, float] = field(default_factory=dict)
    hurt: list[tuple[str, float]] = field(default_factory=list)

    @property
    def replicas(self) -> int:
        """How many servers hold each stream."""
        return len(self.servers)

    def start_worker(self) -> str:
        """One more process; gives its name, which is that of its log."""
        name = f"w{len(self.died) + len(self.workers)}"
        log = self.directory / f"{name}.log"
        log.touch()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["bench.chaos_handlers.worker"])
        process = context.Process(
            target=work,
            args=(self.url, self.replicas, str(log), self.killer, self.world),
            daemon=True,
        )
        process.start()
        self.workers[name] = process
        return name

    def runs(self) -> list[Run]:
        """All that was noted so far."""
        return [run for log in self.directory.glob("w*.log") for run in read_runs(log)]

    def owner(self) -> str:
        """Who began the last run; empty where nobody lives that began one."""
        logs = [self.directory / f"{name}.log" for name in self.workers]
        noted = [log for log in logs if log.stat().st_size]
        return max(noted, key=lambda log: log.stat().st_mtime).stem if noted else ""

    def finished(self) -> int:
        """How many events were handled to an end."""
        return len({run.number for run in self.runs() if run.ended is not None})

    def kill_owner(self) -> None:
        """SIGKILL, and another process in its place."""
        if name := self.owner():
            self.hurt.append((f"{name}.log", time.monotonic()))
            self.kill(name)

    def kill(self, name: str) -> None:
        """SIGKILL to a worker, and another in its place."""
        process = self.workers.pop(name)
        process.kill()
        process.join()
        self.died.setdefault(f"{name}.log", time.monotonic())
        self.start_worker()

    def replace_dead(self) -> None:
        """Another process for each that ended by itself."""
        for name, process in list(self.workers.items()):
            if process.exitcode is not None:
                log = self.directory / f"{name}.log"
                self.died[log.name] = last_note(log)
                self.kill(name)

    async def suspend_owner(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        if (name := self.owner()) and (pid := self.workers[name].pid):
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    async def consumer_leader(self) -> str:
        """The server that leads the handler's durable; raises `BusError`."""
        durable = f"{_SUBJECTS.stream}.handler-{HANDLER}"
        info = await call(self.connection.client, f"CONSUMER.INFO.{durable}", {})
        return str((info.get("cluster") or {}).get("leader", ""))

    async def step_down(self) -> None:
        """Have another server lead the handler's durable."""
        durable = f"{_SUBJECTS.stream}.handler-{HANDLER}"
        with contextlib.suppress(BusError):
            await call(self.connection.client, f"CONSUMER.LEADER.STEPDOWN.{durable}", {})

    async def publish(self) -> None:
        """Store the events, those of each order in the order of their numbers."""
        client = self.connection.client
        for number in range(self.load.events):
            client.write(encode_hpub(encode_event(self._event(number), _SUBJECTS)))
            if number % 200 == 0:
                await client.round_trip(timeout_s=60)
                await asyncio.sleep(0)
        async with asyncio.timeout(_PATIENCE_S):
            while await self._stored() < self.load.events:
                await asyncio.sleep(_POLL_S)

    def _event(self, number: int) -> Event[OrderCreated]:
        """Those of one order report one fact."""
        order = f"{number * 7919 % self.load.orders}"
        return make_event(OrderCreated(channel="1688", order_id=order, order_no=str(number)))

    async def effects(self) -> Effects:
        """What became of the effects on the `world`; raises `BusError`."""
        assert self.world is not None
        ended = {run.number for run in self.runs() if run.ended is not None}
        facts = {self._event(number).fact_id for number in ended}
        kept = StateStore(self.connection, _SUBJECTS).scan("effect")
        records = [read_record(entry.value) async for _, entry in kept if entry.value]
        return judge_effects(World(self.world), facts, records)

    async def _stored(self) -> int:
        info = await call(self.connection.client, f"STREAM.INFO.{_SUBJECTS.stream}", {})
        return int(info.get("state", {}).get("messages", 0))

    async def letters(self) -> int:
        """How many dead letters there are."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:  # a server may just have been hurt
                with contextlib.suppress(BusError):
                    verb = f"STREAM.INFO.{_SUBJECTS.dead_stream}"
                    info = await call(self.connection.client, verb, {})
                    return int(info.get("state", {}).get("messages", 0))
                await asyncio.sleep(_POLL_S)


Hurting = Callable[[Stage], Awaitable[None]]
"""Hurts for as long as it is let; cancelled once all events are handled."""


async def calm(_: Stage) -> None:
    """Hurts nothing."""
    await asyncio.Event().wait()


async def play(stage: Stage, hurting: Hurting, *, but: int = 0) -> Verdict:
    """Handle all events, or all `but` so many, while `hurting`."""
    await stage.publish()
    for _ in range(WORKERS):
        stage.start_worker()
    task = asyncio.create_task(hurting(stage))
    try:
        finished, loop = 0, asyncio.get_running_loop()
        async with asyncio.timeout(_STALLED_S) as patience:
            while finished < stage.load.events - but:
                if task.done():
                    task.result()
                await asyncio.sleep(4 * _POLL_S)
                if (now := stage.finished()) > finished:
                    finished = now
                    patience.reschedule(loop.time() + _STALLED_S)
    except TimeoutError:
        pass  # what is lost then is counted
    finally:
        task.cancel()
        await asyncio.wait({task})
        for process in stage.workers.values():
            if process.pid:
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.join()
    return judge(stage.runs(), stage.load.events, stage.died, stage.hurt)


@contextlib.asynccontextmanager
async def staged(
    directory: Path, servers: int, load: Load, killer: str = "", *, effects: bool = False
) -> AsyncIterator[Stage]:
    """One nats-server, or three that form a cluster, and a connection to look and publish; with
    `effects`, a world for runs to act on."""
    names = [f"n{number}" for number in range(servers)]
    ports, routes = {n: free_port() for n in names}, {n: free_port() for n in names}
    listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes.values())
    nodes = {}
    for name in names:
        config = (
            f'server_name: {name}\nlisten: "127.0.0.1:{ports[name]}"\nmax_payload: 8MB\n'
            f'jetstream {{ store_dir: "{directory / name}" }}\n'
        )
        if servers > 1:
            listen = f"127.0.0.1:{routes[name]}"
            config += f'cluster {{ name: c, listen: "{listen}", routes: [{listed}] }}\n'
        nodes[name] = NatsServer(directory, name, config)
    url = ",".join(f"nats://127.0.0.1:{port}" for port in ports.values())
    connection = Connection(url, plans(_SUBJECTS, [timedelta(hours=1)], replicas=servers))
    try:
        for node in nodes.values():
            await node.start()
        if not await connection.start(patience_s=120):
            raise RuntimeError("NATS does not start")
        world = directory / "world" if effects else None
        yield Stage(directory, nodes, url, connection, load, killer, world)
    finally:
        await connection.stop()
        for node in nodes.values():
            with contextlib.suppress(ProcessLookupError, AssertionError):
                node.signal(signal.SIGCONT)
            await node.kill()


async def answered(asked: Awaitable[Any]) -> Any:
    """What is asked, again until NATS answers; None where it does not."""
    with contextlib.suppress(BusError, NatsError, TimeoutError):
        return await asked
    return None
