"""Faults under load at which batches form, and faults of the folder where they are staged."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from functools import partial
from pathlib import Path

from bench.faults import disks, processes
from bench.faults.shell import need_root
from bench.faults.stage import Fault, Happened, under_load
from bench.faults.tree import Receiver

CONNECTIONS = 256
_DISK_MB = 512
_STAGING_KB = 256
_busy_load = partial(under_load, connections=CONNECTIONS)


async def _staging_full(directory: Path) -> Happened:
    need_root("a file system of limited size")
    receiver = Receiver(directory)
    options = f"size={_STAGING_KB}k,mode=700"
    async with disks.mounted(receiver.staging, "-t", "tmpfs", "-o", options, "none") as staging:

        async def hurt() -> None:
            ballast = staging / "ballast"
            with ballast.open("wb", buffering=0) as out, contextlib.suppress(OSError):
                while True:
                    out.write(bytes(4096))
            await asyncio.sleep(6)
            ballast.unlink()
            await asyncio.sleep(6)

        happened = await _busy_load(receiver, hurt, lasts_s=12)
    receiver.staging.rmdir()
    return happened


async def _staging_missing(directory: Path) -> Happened:
    receiver = Receiver(directory)

    async def hurt() -> None:
        for _ in range(3):
            await receiver.kill(whole_tree=True)
            shutil.rmtree(receiver.staging)
            await receiver.start()
            await asyncio.sleep(3)

    return await _busy_load(receiver, hurt, lasts_s=12)


async def _staging_gone(directory: Path) -> Happened:
    receiver = Receiver(directory)

    async def hurt() -> None:
        for _ in range(5):
            gone = receiver.staging.rename(receiver.staging.with_name(f"{directory.name}-gone"))
            shutil.rmtree(gone)
            await asyncio.sleep(2)

    return await _busy_load(receiver, hurt, lasts_s=10)


FAULTS = (
    Fault(
        "busy_receiver_killed",
        "batches: receiver `kill -9`, three times",
        "As `receiver_killed`, under load at which batches form.",
        partial(processes.receiver_killed, connections=CONNECTIONS),
    ),
    Fault(
        "busy_nats_killed",
        "batches: embedded NATS `kill -9`, three times",
        "As `nats_killed`, under that load.",
        partial(processes.nats_killed, connections=CONNECTIONS),
    ),
    Fault(
        "busy_tree_killed",
        "batches: whole tree `kill -9`, three times",
        "As `tree_killed`, under that load.",
        partial(processes.tree_killed, connections=CONNECTIONS),
    ),
    Fault(
        "busy_disk_full",
        "batches: disk full for 10 s",
        f"As `disk_full`, under that load, on a file system of {_DISK_MB} MB.",
        partial(disks.full, size_mb=_DISK_MB, connections=CONNECTIONS),
    ),
    Fault(
        "busy_power_lost",
        "batches: power lost (imitated)",
        "As `power_lost`, under that load; what was staged in memory is gone, too.",
        partial(disks.without_power, connections=CONNECTIONS),
    ),
    Fault(
        "staging_full",
        "batches: the staging folder full",
        f"The folder where batches are staged is a file system of {_STAGING_KB} KB: a large batch "
        "never fits, and for 6 s something else fills it up.",
        _staging_full,
    ),
    Fault(
        "staging_missing",
        "batches: the staging folder missing at the start, three times",
        "The whole tree is killed and the folder where batches are staged removed, as a restart of "
        "the machine does it, while the link to it stays on disk; then all starts again.",
        _staging_missing,
    ),
    Fault(
        "staging_gone",
        "batches: the staging folder gone, five times",
        "The folder where batches are staged is removed in the middle of the load, with what is "
        "being written there.",
        _staging_gone,
    ),
)
