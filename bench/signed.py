"""Signed callbacks by the hundred thousand, for the load generator to pick from."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from receiver.signatures import xport_signature

ACCESS_KEY = "bench-access-key"
SECRET = "bench-secret-of-no-value"


class SignedRequests:
    """A file of fixed-width lines (nonce, signature, order id), each to be used once.

    The signatures carry the time at which the file was written, so a new one is written whenever
    a run could need more lines than are left or the present ones grow old.
    """

    def __init__(self, path: Path, *, lines: int = 600_000, stale_s: float = 240) -> None:
        self.path = path
        self.timestamp = ""
        self._lines = lines
        self._stale_s = stale_s
        self._written = 0.0
        self._next = lines
        self._order = time.time_ns()  # 19 digits, and beyond those of any file before

    def reserve(self, lines: int) -> int:
        """The first of at least `lines` unused lines; call `used` afterwards."""
        self._lines = max(self._lines, lines)
        too_old = time.monotonic() - self._written > self._stale_s
        if too_old or self._next + lines > self._lines:
            self._write()
        return self._next

    def used(self, lines: int) -> None:
        """So many were sent."""
        self._next += lines

    def _write(self) -> None:
        self.timestamp = str(int(time.time() * 1000))
        prefix = secrets.token_hex(8)
        with self.path.open("w", encoding="ascii") as out:
            for number in range(self._lines):
                nonce = f"{prefix}{number:016x}"
                signature = xport_signature(ACCESS_KEY, self.timestamp, nonce, SECRET)
                out.write(f"{nonce}{signature}{self._order + number}\n")
        self._order += self._lines
        self._next = 0
        self._written = time.monotonic()
