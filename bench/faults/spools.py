"""Faults of the spool while it is in use: damaged rows, a file that is removed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

from bench.faults.stage import Fault, Happened, under_load
from bench.faults.tree import Receiver

_INSERT = (
    "INSERT INTO bundles (id, source, spooled_at, size_bytes, content, digest)"
    " VALUES (?, 'faults', ?, 99, ?, ?)"
)
_DAMAGED: tuple[tuple[object, object, object], ...] = (
    (1.0, b"", None),
    (1.0, b"{}\n", None),
    (1.0, b'{"messages":' + b"[" * 100_000 + b"\n", None),
    (1.0, "text", b"0" * 32),
    (1.0, 7, None),
    ("yesterday", b'{"guarded":false,"messages":[]}\n', b"0" * 32),
)


async def _damaged(directory: Path) -> Happened:
    receiver = Receiver(directory)
    spool = receiver.data_dir / "spool.sqlite3"

    async def hurt() -> None:
        receiver.signal_nats(signal.SIGSTOP)
        await asyncio.sleep(4)
        _add_damaged_rows(spool)
        await asyncio.sleep(3)
        for file in spool.parent.glob("spool.sqlite3*"):
            file.unlink()
        await asyncio.sleep(4)
        receiver.signal_nats(signal.SIGCONT)

    return await under_load(receiver, hurt, lasts_s=12, left=len(_DAMAGED))


def _add_damaged_rows(spool: Path) -> None:
    database = sqlite3.connect(spool, timeout=5)
    with database:
        for number, (spooled_at, content, digest) in enumerate(_DAMAGED):
            database.execute(_INSERT, (f"damaged{number}", spooled_at, content, digest))
    database.close()


FAULTS = (
    Fault(
        "spool_damaged",
        "the spool damaged, then removed, while NATS is frozen",
        "The nats-server gets SIGSTOP for 11 s. Meanwhile six damaged rows are put among the "
        "spooled callbacks, and then the spool's files are removed.",
        _damaged,
    ),
)
