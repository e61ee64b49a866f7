"""Stages atomic batches in memory: what is staged needs no disk.

For a stream with one replica the server writes an uncommitted batch to `<stream>/batches/<id>` with
several syncs, before the one that counts: the commit syncs the stream's own block, and only then is
it acknowledged. A link from `batches` to a memory file system saves the others. After a loss of
power at most a prefix of a batch is there that no sender got a 200 for.

The server removes the link whenever it starts, so it is looked after. A batch that does not fit
may leave its entry behind, and then all others are refused (JetStream error 10176) until it is
gone: they are published one by one meanwhile. Not for streams with replicas, which are staged in
memory anyway, and not for streams whose messages depend on those of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from receiver.observability.logs import get_logger

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what is made there is ours alone, and looked at
MIN_FREE_BYTES: Final = 32 * 1024 * 1024
"""Several times the largest batch. With less free, batches are staged on disk."""
_ABANDONED_S: Final = 10.0
"""No batch under way is that old: its publisher gave it up long before."""
_LOOK_S: Final = 1.0
_FORGOTTEN_S: Final = 24 * 3600.0
"""How old an empty target is that a killed run left behind: one in use changes with each batch."""
_NAME: Final = "yizhan-batches-"
_MOUNTS: Final = Path("/proc/self/mounts")
_MEMORY_TYPES: Final = frozenset({"tmpfs", "ramfs"})


class BatchStaging:
    """The link of one stream; `stream` is its directory in the server's store.

    `in_memory` is whether the link was in force when it was looked at last.
    """

    def __init__(
        self,
        stream: Path,
        *,
        memory: Path = MEMORY,
        min_free_bytes: int = MIN_FREE_BYTES,
        abandoned_s: float = _ABANDONED_S,
    ) -> None:
        owner = f"{os.geteuid()}-{hashlib.sha256(os.fsencode(stream)).hexdigest()[:16]}"
        self.target = memory / f"{_NAME}{owner}"
        self.in_memory = False
        self._seen_until = 0.0
        self._link = stream / "batches"
        self._memory = memory
        self._min_free_bytes = min_free_bytes
        self._abandoned_s = abandoned_s

    def in_force(self) -> bool:
        """Whether the link is there, as any process of the machine can see."""
        now = time.monotonic()
        if now >= self._seen_until:
            self._seen_until = now + _LOOK_S
            with contextlib.suppress(OSError):
                self.in_memory = self._is_linked()
        return self.in_memory

    def look(self) -> bool:
        """Make the link, or take it away where memory is short; whether it is in force.

        What is staged on disk at the moment stays there: the link is made at a later look.
        """
        try:
            self.in_memory = self._looked()
        except OSError:
            self.in_memory = False
        return self.in_memory

    def remove(self) -> None:
        """Give the memory back; the server has to have ended."""
        self.in_memory = False
        with contextlib.suppress(OSError):
            if self._is_linked():
                self._link.unlink()
            if self._is_ours():
                shutil.rmtree(self.target)

    def _looked(self) -> bool:
        if not self._link.parent.is_dir():
            return False
        linked = self._is_linked()
        if not self._has_room():
            if linked:
                self._link.unlink()
            return False
        if linked and self._is_ours():
            self._clear()
            return True
        if not self._is_ours():
            self._sweep()
            self.target.mkdir(mode=0o700)
        self._clear()
        if self._link.is_symlink():
            self._link.unlink()
        elif self._link.exists():
            self._link.rmdir()  # raises where a batch is under way
        self._link.symlink_to(self.target)
        return True

    def _sweep(self) -> None:
        """Give back what runs left behind that were killed and never started again."""
        before = time.time() - _FORGOTTEN_S
        for target in self._memory.glob(f"{_NAME}{os.geteuid()}-*"):
            with contextlib.suppress(OSError):
                if target.lstat().st_mtime < before:
                    target.rmdir()  # raises where something is in it

    def _is_linked(self) -> bool:
        return self._link.is_symlink() and self._link.readlink() == self.target

    def _is_ours(self) -> bool:
        """Whether it is there, private to this user; raises `OSError` where its name is taken by
        something else.
        """
        try:
            found = self.target.lstat()
        except FileNotFoundError:
            return False
        private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
        if not private or found.st_uid != os.geteuid():
            raise PermissionError(f"{self.target} is not ours")
        return True

    def _has_room(self) -> bool:
        return (
            _is_memory(self._memory)
            and shutil.disk_usage(self._memory).free >= self._min_free_bytes
        )

    def _clear(self) -> None:
        """Remove what batches left behind that were given up; one that lives is younger."""
        before = time.time() - self._abandoned_s
        for entry in os.scandir(self.target):
            with contextlib.suppress(FileNotFoundError):  # a batch that was just committed
                if entry.stat(follow_symlinks=False).st_mtime <= before:
                    shutil.rmtree(entry.path, ignore_errors=True)


async def keep_staged(staging: BatchStaging, *, owned: Callable[[], bool]) -> None:
    """Look after the link until cancelled, whenever the server is `owned` by this run: the server
    of another run has a keeper of its own.
    """
    log = get_logger("yizhan.bus")
    was_in_memory: bool | None = None
    while True:
        if owned():
            in_memory = await asyncio.to_thread(staging.look)
            if in_memory != was_in_memory:
                log.debug("batches_staged", place="memory" if in_memory else "disk")
            was_in_memory = in_memory
        await asyncio.sleep(_LOOK_S)


def _is_memory(directory: Path) -> bool:
    """Whether the file system that holds it is one in memory."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        return False
    types = {parts[1]: parts[2] for parts in map(str.split, mounts) if len(parts) > 2}
    above = (types[str(part)] for part in (directory, *directory.parents) if str(part) in types)
    return next(above, "") in _MEMORY_TYPES
