"""The open database behind the spool: transactions that are on disk, in the file at the path.

SQLite goes on writing to a file that was removed or replaced under it, and calls that durable. So
each transaction looks before it begins and after it committed whether the file at the path is still
the one that is open. Blocks; used by one thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from receiver.observability.logs import get_logger

BUSY_TIMEOUT_S: Final = 0.25
"""How long another process may hold the file before a transaction gives up."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS bundles (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    spooled_at REAL NOT NULL,
    guard_id TEXT,
    guard_owner BLOB,
    size_bytes INTEGER NOT NULL,
    content BLOB NOT NULL,
    digest BLOB
);
CREATE INDEX IF NOT EXISTS bundles_by_guard ON bundles (guard_id) WHERE guard_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS bundles_by_source ON bundles (source, spooled_at);
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS marker (one INTEGER PRIMARY KEY, text TEXT NOT NULL);
"""
_ADD_DIGEST: Final = "ALTER TABLE bundles ADD COLUMN digest BLOB"
"""For a file that version 0.1 made."""
_MARK: Final = "INSERT OR IGNORE INTO marker VALUES (1, ?)"
_MARKER: Final = "SELECT text FROM marker WHERE one = 1"
_CARRIED: Final = "id, source, spooled_at, guard_id, guard_owner, size_bytes, content, digest"
_CARRY: Final = f"INSERT OR IGNORE INTO bundles ({_CARRIED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants


class FileReplacedError(Exception):
    """What was committed is not in the file at the path."""


@dataclass(slots=True)
class _Opened:
    """A connection, and by what the file at the path is known to be the one it writes to."""

    database: sqlite3.Connection
    marker: str
    inode: tuple[int, int]
    size_bytes: int


class SpoolDatabase:
    """One connection to the file at `path`, opened when needed and again after a fault.

    Every method raises `sqlite3.Error` or `OSError` where the disk or the file is at fault.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._open: _Opened | None = None

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        opened, self._open = self._open, None
        if opened is not None:
            with contextlib.suppress(sqlite3.Error):
                opened.database.close()

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """The connection; one that failed is not used again."""
        try:
            if self._open is None:
                self._open = _opened(self._path, self._busy_timeout_s)
            yield self._open.database
        except (sqlite3.Error, OSError):
            self.close()
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, on disk once the block is left; closing what failed undoes it.

        Raises `FileReplacedError` where the file was removed, truncated or replaced meanwhile: what
        was committed may be lost, and the same transaction can be made again.
        """
        if self._open is not None and not self._is_in_place(self._open):
            self._replace()
        with self.connected() as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            except BaseException:
                self.close()
                raise
        assert self._open is not None
        if not (self._is_in_place(self._open) and self._is_read_back(self._open)):
            self._replace()
            raise FileReplacedError

    def _is_in_place(self, opened: _Opened) -> bool:
        """By a look at the directory alone. The file grows, and never shrinks by our doing."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        in_place = (found.st_dev, found.st_ino) == opened.inode
        in_place = in_place and found.st_size >= opened.size_bytes
        opened.size_bytes = max(opened.size_bytes, found.st_size)
        return in_place

    def _is_read_back(self, opened: _Opened) -> bool:
        """By the marker, read as another process would: what was overwritten in place has none."""
        try:
            connecting = _connect(self._path, busy_timeout_s=self._busy_timeout_s)
            with contextlib.closing(connecting) as database:
                found = database.execute(_MARKER).fetchone()
        except sqlite3.DatabaseError as error:
            return _is_busy(error)  # the process that locks it found a database
        return found is not None and found[0] == opened.marker

    def _replace(self) -> None:
        """Open what is at the path now, and carry over what the old file still gives."""
        log = get_logger("yizhan.spool").bind(spool=str(self._path))
        old, self._open = self._open, None
        assert old is not None
        try:
            rows = old.database.execute(f"SELECT {_CARRIED} FROM bundles").fetchall()  # noqa: S608 - constants
        except sqlite3.Error:
            log.error("spool_file_lost")
            rows = []
        finally:
            with contextlib.suppress(sqlite3.Error):
                old.database.close()
        with self.connected() as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_CARRY, rows)
            database.execute("COMMIT")
        log.error("spool_file_replaced", carried_over=len(rows))


def _is_busy(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _connect(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    database = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, isolation_level=None)
    database.text_factory = _decoded
    return database


def _decoded(text: bytes) -> str:
    """Flipped bits may leave no UTF-8: that is for the check of the row, not an error of SQLite."""
    return text.decode(errors="replace")


def _opened(path: Path, busy_timeout_s: float) -> _Opened:
    """The file, private to its owner: it holds what callbacks hold."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = _connect(path, busy_timeout_s=busy_timeout_s)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 8388608")
        database.executescript(_SCHEMA)
        columns = database.execute("PRAGMA table_info(bundles)").fetchall()
        if "digest" not in {column[1] for column in columns}:
            database.execute(_ADD_DIGEST)
        marker = database.execute(_MARKER).fetchone()
        if marker is None:
            database.execute(_MARK, (uuid.uuid4().hex,))
            marker = database.execute(_MARKER).fetchone()
        found = path.stat()
    except (sqlite3.Error, OSError):
        database.close()
        raise
    return _Opened(database, marker[0], (found.st_dev, found.st_ino), found.st_size)
