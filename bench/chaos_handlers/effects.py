"""Effects on an outside world that knows what was done to it: a directory that workers write to.

An act is one append to the file of its fact, so that it is there in full or not at all, whatever
process dies; the length of the file says how often it was done. What is asked and answered is one
append to a file of its own.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from receiver.event import Event
from receiver.worker.effects.states import EffectRecord
from receiver.worker.interface import Context
from schemas.events import OrderCreated

_PAUSE_S = (0.005, 0.01)


class World:
    """What was done, and what was asked about it; shared by all processes that open it."""

    def __init__(self, directory: Path) -> None:
        self._acts = directory / "acts"
        self._asked = directory / "asked"
        self._acts.mkdir(parents=True, exist_ok=True)

    def act(self, fact: str) -> None:
        """Do it, once more."""
        _append(self._acts / fact, b"x")

    def ask(self, fact: str) -> bool:
        """Whether it was done."""
        happened = (self._acts / fact).exists()
        _append(self._asked, b"y" if happened else b"n")
        return happened

    def done(self) -> Counter[str]:
        """How often each fact was acted on."""
        return Counter({path.name: path.stat().st_size for path in self._acts.iterdir()})

    def answers(self) -> tuple[int, int]:
        """How often the answer was that it happened, and how often that it did not."""
        said = self._asked.read_bytes() if self._asked.exists() else b""
        return said.count(b"y"), said.count(b"n")


def _append(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, data)
    finally:
        os.close(file)


async def ship_once(world: World, event: Event[OrderCreated], ctx: Context) -> None:
    """Act once for the event's fact, with time before and after the act to be killed in."""

    async def was_shipped() -> bool:
        return world.ask(event.fact_id)

    async with ctx.once("ship", resolve=was_shipped) as effect:
        if effect.due:
            await asyncio.sleep(random.uniform(*_PAUSE_S))
            world.act(event.fact_id)
            await asyncio.sleep(random.uniform(*_PAUSE_S))


@dataclass(frozen=True, slots=True)
class Effects:
    """What became of the effects of `facts`: done `twice` or more; `never`, although the event was
    handled to an end; neither done nor settled in the ledger (`undecided`). `happened` and
    `did_not` count what was answered where a process had left it in doubt.
    """

    facts: int
    twice: int
    never: int
    undecided: int
    happened: int
    did_not: int

    @property
    def kept(self) -> bool:
        """Whether each was done once, and the ledger knows it."""
        return not (self.twice or self.never or self.undecided)


def judge_effects(
    world: World, handled: Collection[str], ledger: Iterable[EffectRecord]
) -> Effects:
    """Of the facts that were `handled` to an end, and what the ledger holds in the end."""
    done, over = world.done(), {record.fact for record in ledger if record.is_over}
    happened, did_not = world.answers()
    return Effects(
        facts=len(handled),
        twice=sum(times > 1 for times in done.values()),
        never=sum(fact not in done for fact in handled),
        undecided=len((done.keys() | set(handled)) - over),
        happened=happened,
        did_not=did_not,
    )
