"""Reads faults from the embedded server's log file that it reports nowhere else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_FATAL: Final = re.compile(r"^\[\d+\] \S+ \S+ \[FTL\] (.+)", re.MULTILINE)
_UNLOGGED: Final = re.compile(r"^(?!\[\d+\] )(\S.*)", re.MULTILINE)
"""What stands on standard error: a configuration it cannot read, a panic, a failed exec."""
_NOT_STORED: Final = re.compile(
    r"\[ERR\] JetStream .*?(?:failed to store|critical write error|will be DISABLED).*"
)
_MAX_READ_BYTES: Final = 1024 * 1024


class ServerLog:
    """The log at `path`, of which only what is written after `begin_run` counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begun = 0
        self._read = 0

    def begin_run(self) -> None:
        """A server is about to start: what stands here is of an earlier one."""
        self._begun = self._read = self._size()

    def why_it_ended(self) -> str:
        """The last that was fatal in this run, or the first it cried out; empty where nothing."""
        text = self._bytes(self._begun, -1).decode("utf-8", "replace")
        reasons: list[str] = _FATAL.findall(text)[-1:] or _UNLOGGED.findall(text)[:1]
        return "".join(reasons)

    def store_failure(self) -> str:
        """The failure to store that the server logged since the last call; empty where it did not.

        It answers such a message with silence, and goes on so when the disk is well again: until
        a restart it keeps the first failure to write for the last word.
        """
        if self._size() < self._read:  # begun anew, as it grew too large
            self._read = 0
        news = self._bytes(self._read, _MAX_READ_BYTES)
        self._read += len(news)
        found = _NOT_STORED.findall(news.decode("utf-8", "replace"))
        return found[-1].removeprefix("[ERR] ") if found else ""

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _bytes(self, start: int, limit: int) -> bytes:
        try:
            with self.path.open("rb") as log:
                log.seek(start)
                return log.read(limit)
        except OSError:
            return b""
