"""What a run that its process did not survive leaves behind for the next owner."""

from __future__ import annotations

import asyncio

from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.bus.worker_records import WorkerRecords
from receiver.worker.attempts import AttemptsLedger
from receiver.worker.run_start import RunStart, in_ledger


async def gone(worker: str) -> bool:
    return False


async def test_a_death_counts_where_code_of_the_handler_ran(
    connection: Connection, subjects: Subjects
) -> None:
    records, there, over = (
        WorkerRecords(connection, subjects),
        asyncio.Queue[int](),
        asyncio.Event(),
    )
    await records.ensure()
    died, heir = (AttemptsLedger(records, "ship", worker) for worker in ("first", "second"))

    async def run(start: RunStart) -> None:
        start.watch()
        await start.ledger.begin_surely(start.seq, start.slot)
        async with in_ledger():
            if start.seq == 0:
                await is_at(start)
            async with in_ledger(still=False):
                if start.seq == 1:
                    await is_at(start)
        await is_at(start)

    async def is_at(start: RunStart) -> None:
        there.put_nowait(start.seq)
        await over.wait()

    runs = [asyncio.create_task(run(RunStart(died, seq, seq))) for seq in range(3)]
    for _ in runs:
        await there.get()
    await heir.inherit(gone)
    over.set()
    await asyncio.gather(*runs)

    assert [heir.of(seq, {}).starts for seq in range(3)] == [1, 1, 1]
    assert [heir.of(seq, {}).deaths for seq in range(3)] == [0, 1, 1]
