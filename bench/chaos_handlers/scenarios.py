"""What is done to workers and servers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.chaos_handlers.stage import Hurting, Stage, answered, calm

_DOWN_S = 3.0


def _kill_every(seconds: float) -> Hurting:
    async def hurting(stage: Stage) -> None:
        while True:
            await asyncio.sleep(seconds)
            stage.kill_owner()

    return hurting


def after_each(events: int, hurt: Callable[[Stage], Awaitable[None]]) -> Hurting:
    """Hurts whenever so many more events were handled: the same on a machine of any speed."""

    async def hurting(stage: Stage) -> None:
        wanted = events
        while True:
            await asyncio.sleep(0.05)
            if stage.finished() >= wanted:
                wanted = stage.finished() + events
                await hurt(stage)

    return hurting


async def owner_killed(stage: Stage) -> None:
    """SIGKILL to the owner."""
    stage.kill_owner()


async def leader_steps_down(stage: Stage) -> None:
    """Another server leads the durable."""
    await stage.step_down()


async def _suspend(stage: Stage) -> None:
    while True:
        await asyncio.sleep(5)
        await stage.suspend_owner(4)


async def _restart(stage: Stage) -> None:
    for _ in range(2):
        await asyncio.sleep(4)
        await _down(stage, next(iter(stage.servers)), 1.0)
    await asyncio.Event().wait()


async def _down(stage: Stage, name: str, seconds: float) -> None:
    await stage.servers[name].kill()
    await asyncio.sleep(seconds)
    await stage.servers[name].start()


async def _leader_killed(stage: Stage) -> None:
    while True:
        await asyncio.sleep(6)
        if name := await answered(stage.consumer_leader()):
            await _down(stage, name, _DOWN_S)


async def _leader_steps_down(stage: Stage) -> None:
    while True:
        await asyncio.sleep(2)
        await stage.step_down()


async def _owners_server_killed(stage: Stage) -> None:
    """The first of the URL, to which every worker connects first."""
    names = list(stage.servers)
    while True:
        for name in names:
            await asyncio.sleep(6)
            await _down(stage, name, _DOWN_S)


async def _worker_and_leader_killed(stage: Stage) -> None:
    while True:
        await asyncio.sleep(6)
        if name := await answered(stage.consumer_leader()):
            stage.kill_owner()
            await _down(stage, name, _DOWN_S)


async def _frozen(stage: Stage) -> None:
    while True:
        await asyncio.sleep(6)
        if name := await answered(stage.consumer_leader()):
            stage.servers[name].signal(signal.SIGSTOP)
            await asyncio.sleep(8)
            stage.servers[name].signal(signal.SIGCONT)


async def killer_message(stage: Stage) -> None:
    """Nothing is killed but by the event itself."""
    while True:
        await asyncio.sleep(0.2)
        for name, process in list(stage.workers.items()):
            if process.exitcode is not None:
                stage.hurt.append((f"{name}.log", time.monotonic()))
        stage.replace_dead()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`title` says what is done. `deserved` events become dead letters. With `effects`, each fact
    is reported twice and its runs act once on a world outside."""

    name: str
    title: str
    servers: int
    hurting: Hurting
    killer: str = ""
    deserved: int = 0
    effects: bool = False


SCENARIOS = (
    Scenario("calm", "nothing", 1, calm),
    Scenario("killed_every_2s", "the owner killed with -9 every 2 s", 1, _kill_every(2.0)),
    Scenario("killed_every_0.7s", "the owner killed with -9 every 0.7 s", 1, _kill_every(0.7)),
    Scenario("suspended", "the owner suspended for 4 s, every 9 s", 1, _suspend),
    Scenario("nats_restarted", "NATS killed and started again, twice", 1, _restart),
    Scenario(
        "killer_message",
        "an event that ends each process that runs it",
        1,
        killer_message,
        killer="500",
        deserved=1,
    ),
    Scenario("calm_on_three", "three servers: nothing", 3, calm),
    Scenario(
        "killed_on_three", "three servers: the owner killed with -9 every 2 s", 3, _kill_every(2.0)
    ),
    Scenario(
        "killed_fast_on_three",
        "three servers: the owner killed with -9 every 0.7 s",
        3,
        _kill_every(0.7),
    ),
    Scenario(
        "suspended_on_three", "three servers: the owner suspended for 4 s, every 9 s", 3, _suspend
    ),
    Scenario(
        "leader_killed",
        "three servers: the consumer's leader killed every 9 s, for 3 s",
        3,
        _leader_killed,
    ),
    Scenario(
        "leader_steps_down", "three servers: the leader steps down every 2 s", 3, _leader_steps_down
    ),
    Scenario(
        "owners_server_killed",
        "three servers: one after the other killed, every 9 s for 3 s",
        3,
        _owners_server_killed,
    ),
    Scenario(
        "worker_and_leader",
        "three servers: owner and leader killed together, every 9 s",
        3,
        _worker_and_leader_killed,
    ),
    Scenario("server_frozen", "three servers: the leader frozen for 8 s, every 14 s", 3, _frozen),
    Scenario("effects_calm", "nothing", 1, calm, effects=True),
    Scenario(
        "effects_killed_every_2s",
        "the owner killed with -9 every 2 s",
        1,
        _kill_every(2.0),
        effects=True,
    ),
    Scenario(
        "effects_suspended",
        "the owner suspended for 4 s, every 9 s",
        1,
        _suspend,
        effects=True,
    ),
    Scenario(
        "effects_restarted",
        "NATS killed and started again, twice",
        1,
        _restart,
        effects=True,
    ),
    Scenario(
        "effects_killed_every_0.7s",
        "the owner killed with -9 every 0.7 s",
        1,
        _kill_every(0.7),
        effects=True,
    ),
)
