"""Faults of the disk: full, and without power."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from bench.faults.shell import need_root, run_command
from bench.faults.stage import Fault, Happened, SkippedError, under_load
from bench.faults.tree import NatsServer, Receiver
from bench.processes import free_port

_DISK_MB = 64
_IMAGE_MB = 256


@contextlib.asynccontextmanager
async def mounted(where: Path, *arguments: str) -> AsyncIterator[Path]:
    """A file system, unmounted in the end."""
    await run_command("mkdir", "-p", str(where))
    await run_command("mount", *arguments, str(where))
    try:
        yield where
    finally:
        with contextlib.suppress(SkippedError):
            await run_command("umount", "--lazy", str(where))


async def full(directory: Path, *, size_mb: int = _DISK_MB, connections: int = 0) -> Happened:
    """The disk of log and spool, for 10 s."""
    need_root("a file system of limited size")
    async with mounted(
        directory / "small", "-t", "tmpfs", "-o", f"size={size_mb}m", "none"
    ) as small:
        receiver = Receiver(directory, data_dir=small / "data")

        async def hurt() -> None:
            ballast = small / "ballast"
            with ballast.open("wb", buffering=0) as out, contextlib.suppress(OSError):
                while True:
                    out.write(bytes(64 * 1024))
            await asyncio.sleep(10)
            ballast.unlink()
            await asyncio.sleep(10)

        return await under_load(receiver, hurt, lasts_s=20, connections=connections)


async def without_power(
    directory: Path, *, always: bool = True, spooling_s: float = 0, connections: int = 0
) -> Happened:
    """Power is lost, and everything starts again on what reached the disk."""
    need_root("a loop device")
    image, disk = directory / "disk.img", directory / "disk"
    with image.open("wb") as out:
        out.truncate(_IMAGE_MB * 1024 * 1024)
    await run_command("mkfs.ext4", "-q", str(image))
    disk.mkdir()
    await run_command("mount", "-o", "loop", str(image), str(disk))
    port = free_port()
    server = NatsServer(
        directory,
        "nats",
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n'
        f'jetstream {{ store_dir: "{disk / "store"}"{", sync_interval: always" * always} }}\n',
    )
    if not always:
        await server.start()
    receiver = Receiver(
        directory,
        data_dir=disk / "data",
        nats_url=None if always else f"nats://127.0.0.1:{port}",
    )

    async def hurt() -> None:
        if spooling_s:
            receiver.signal_nats(signal.SIGSTOP)
            await asyncio.sleep(spooling_s)
        receiver.signal(signal.SIGSTOP, whole_tree=True)
        if not always:
            server.signal(signal.SIGSTOP)
        # What is in the image now is what reached the disk; the rest is in the page cache.
        await asyncio.to_thread(shutil.copyfile, image, directory / "survived.img")
        await receiver.kill(whole_tree=True)
        await server.kill()
        shutil.rmtree(receiver.staging, ignore_errors=True)  # memory does not survive
        await run_command("umount", "--lazy", str(disk))
        await run_command("mount", "-o", "loop", str(directory / "survived.img"), str(disk))
        if not always:
            await server.start()
        await receiver.start()

    try:
        return await under_load(receiver, hurt, lasts_s=3 + spooling_s, connections=connections)
    finally:
        await server.kill()
        with contextlib.suppress(SkippedError):
            await run_command("umount", "--lazy", str(disk))


FAULTS = (
    Fault(
        "disk_full",
        "disk full for 10 s",
        f"The data directory is on a file system of {_DISK_MB} MB that something else fills up; "
        "after 10 s that is deleted. Log and spool are on it: nothing can be stored meanwhile, "
        "and the answer is 503.",
        full,
    ),
    Fault(
        "power_lost",
        "power lost (imitated)",
        "The data directory is an ext4 file system in an image file. The whole tree is stopped, "
        "the image is copied as it is, without what is still in the page cache, the tree is "
        "killed, and everything starts again on the copy.",
        without_power,
    ),
    Fault(
        "power_lost_spooled",
        "power lost while NATS is frozen",
        "The same, 3 s after the nats-server got SIGSTOP: what was answered 200 in these seconds "
        "is in the spool alone.",
        partial(without_power, spooling_s=3),
    ),
    Fault(
        "power_lost_lazily",
        "power lost, with the server's lazy default",
        "The control: a nats-server without `sync_interval: always` loses what it acknowledged. "
        "It shows that the imitation bites; `yizhan check` warns of such a server.",
        partial(without_power, always=False),
        control=True,
    ),
)
