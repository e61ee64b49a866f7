"""Deleting what was planned, message by message."""

from __future__ import annotations

import asyncio
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.patience import PATIENCE_S
from receiver.operations.keeping.plan import PurgePlan
from receiver.operations.patience import delete
from receiver.operations.repair.tally import Progress, Tally

_AT_ONCE: Final = 64


async def purge(
    connection: Connection,
    plan: PurgePlan,
    tally: Tally,
    progress: Progress = lambda _: None,
    *,
    erase: bool,
    patience_s: float = PATIENCE_S,
) -> None:
    """Delete it; with `erase` it is overwritten on the disk, which takes some 17 ms a message.

    What another deleted meanwhile counts as `taken`. Raises `BusError` where NATS is away for
    `patience_s`: what is left then is found by another plan, since events go last.
    """
    for part in plan.ordered():
        for start in range(0, len(part.sequences), _AT_ONCE):
            some = part.sequences[start : start + _AT_ONCE]
            deleted = sum(
                await asyncio.gather(
                    *(delete(connection, part.stream, seq, patience_s, erase=erase) for seq in some)
                )
            )
            tally.counts["deleted"] += deleted
            tally.counts["taken"] += len(some) - deleted
            tally.made[part.kind] += deleted
            progress(tally.done)
