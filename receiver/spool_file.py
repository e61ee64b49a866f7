"""The file behind the spool: its table, its transactions, its limit. Blocks; used by one thread."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from receiver.bus.message import OutgoingMessage
from receiver.bus.publisher import GuardTakenError
from receiver.errors import SpoolError
from receiver.logs import get_logger

_BUSY_S: Final = 0.25
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
    content BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS bundles_by_guard ON bundles (guard_id) WHERE guard_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS bundles_by_source ON bundles (source, spooled_at);
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY, at REAL NOT NULL);
"""
_READ: Final = "SELECT row, spooled_at, size_bytes, content FROM bundles WHERE row > ? ORDER BY row"
_STATE: Final = "SELECT source, count(*), min(spooled_at) FROM bundles GROUP BY source"
_ROW_BYTES: Final = 512
"""What a row takes beside its content, at most: columns, three indexes, half a page."""
_LEAST_ROOM_BYTES: Final = 16 * 1024
"""With less than this a spool counts as full, though a small callback might still fit."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The messages of one publish, the raw one first, and its guard."""

    messages: Sequence[OutgoingMessage]
    guard: OutgoingMessage | None = None

    @property
    def id(self) -> str:
        """The id of the callback."""
        return self.messages[0].msg_id

    @property
    def source(self) -> str:
        """The source that the callback came from."""
        return self.messages[0].subject.rpartition(".")[2]

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory and on disk."""
        return _ROW_BYTES + sum(
            [2 * len(message.head) + len(message.body) for message in self.messages]
        )


@dataclass(frozen=True, slots=True)
class SpooledBundle:
    """A bundle with its place in the spool and the time (of the epoch) it was put there."""

    row: int
    spooled_at: float
    bundle: Bundle


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much the spool keeps; `oldest_age_s` is zero and `by_source` empty where nothing."""

    depth: int
    oldest_age_s: float
    size_bytes: int
    by_source: Mapping[str, int] = field(default_factory=dict)


def encode_bundle(bundle: Bundle) -> bytes:
    """A line of JSON that tells subjects, headers and lengths, then the bodies as they are."""
    every = [*bundle.messages, *([bundle.guard] if bundle.guard else [])]
    head = {
        "guarded": bundle.guard is not None,
        "messages": [[m.subject, m.headers, len(m.body)] for m in every],
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"\n".join([text, b"".join(message.body for message in every)])


def decode_bundle(content: bytes) -> Bundle:
    """The bundle that `encode_bundle` was given; raises `SpoolError` for anything else."""
    text, _, bodies = content.partition(b"\n")
    try:
        head: dict[str, Any] = json.loads(text)
        messages, start = [], 0
        for subject, headers, length in head["messages"]:
            messages.append(OutgoingMessage.of(subject, headers, bodies[start : start + length]))
            start += length
        if start != len(bodies):
            raise ValueError(start)
        guard = messages.pop() if head["guarded"] else None
        messages[0].msg_id  # noqa: B018 - there is a first, and it has an id
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise SpoolError("a row of the spool cannot be read") from error
    return Bundle(messages, guard)


class SpoolFile:
    """One connection to the file, opened when needed and again after a fault.

    Every method raises `sqlite3.Error` or `OSError` where the disk or the file is at fault.
    """

    def __init__(self, path: Path, *, limit_bytes: int, clock: Callable[[], float]) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._open: sqlite3.Connection | None = None
        self._unreadable: set[int] = set()

    def write(self, bundles: Sequence[Bundle]) -> list[bool | Exception]:
        """One transaction; for each bundle whether it is new, or why it was not taken."""
        with self._transaction() as database:
            left = self._limit_bytes - _used_bytes(database)
            results: list[bool | Exception] = []
            for bundle in bundles:
                try:
                    content = self._insert(database, bundle, left)
                except (SpoolError, GuardTakenError) as error:
                    results.append(error)
                else:
                    left -= content
                    results.append(content > 0)
            return results

    def _insert(self, database: sqlite3.Connection, bundle: Bundle, left: int) -> int:
        """The bytes that were written; 0 where the bundle was there."""
        if database.execute("SELECT 1 FROM bundles WHERE id = ?", (bundle.id,)).fetchone():
            return 0
        if bundle.guard is not None:
            _check_guard(database, bundle.guard)
        content = encode_bundle(bundle)
        size_bytes = len(content) + _ROW_BYTES
        if size_bytes > left:
            raise SpoolError(
                f"the spool {self._path} is full ({self._limit_bytes} bytes): bring NATS back "
                "or raise receiver.spool_limit_bytes"
            )
        guard = bundle.guard
        database.execute(
            "INSERT INTO bundles (id, source, spooled_at, guard_id, guard_owner, size_bytes,"
            " content) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                bundle.id,
                bundle.source,
                self._clock(),
                guard.msg_id if guard else None,
                guard.body if guard else None,
                size_bytes,
                content,
            ),
        )
        return size_bytes

    def read(self, *, after: int, limit: int, limit_bytes: int) -> list[SpooledBundle]:
        """The next rows, at least one where there is any, else as many as the limits allow.

        A row that cannot be read stays where it is, is logged once, and holds up no other.
        """
        found: list[SpooledBundle] = []
        with self._connected() as database, contextlib.closing(database.cursor()) as rows:
            for row, spooled_at, size_bytes, content in rows.execute(_READ, (after,)):
                limit_bytes -= size_bytes
                if len(found) == limit or (found and limit_bytes < 0):
                    break
                try:
                    found.append(SpooledBundle(row, spooled_at, decode_bundle(content)))
                except SpoolError:
                    self._tell_unreadable(row)
        return found

    def _tell_unreadable(self, row: int) -> None:
        if row not in self._unreadable:
            self._unreadable.add(row)
            get_logger("yizhan.spool").error(
                "spooled_row_unreadable", row=row, spool=str(self._path)
            )

    def remove(self, rows: Sequence[int]) -> None:
        """Delete rows."""
        with self._transaction() as database:
            database.executemany("DELETE FROM bundles WHERE row = ?", [(row,) for row in rows])

    def ids(self) -> frozenset[str]:
        """The ids of all rows."""
        with self._connected() as database:
            return frozenset(row[0] for row in database.execute("SELECT id FROM bundles"))

    def state(self) -> SpoolState:
        """Depth, age and size as they are."""
        with self._connected() as database:
            told = database.execute(_STATE).fetchall()
            used_bytes = _used_bytes(database)
        now = self._clock()
        oldest = min((since for _, _, since in told), default=now)
        by_source = {source: count for source, count, _ in told}
        age_s = max(0.0, now - oldest)
        return SpoolState(sum(by_source.values()), age_s, used_bytes, by_source)

    def probe(self) -> SpoolState:
        """The state, after one synced write; raises `SpoolError` where no bundle would fit."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (self._clock(),))
        state = self.state()
        if self._limit_bytes - state.size_bytes < _LEAST_ROOM_BYTES:
            raise SpoolError(f"the spool {self._path} is full ({self._limit_bytes} bytes)")
        return state

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._open is not None:
            with contextlib.suppress(sqlite3.Error):
                self._open.close()
            self._open = None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The connection; one that failed is not used again."""
        try:
            if self._open is None:
                self._open = _opened(self._path)
            yield self._open
        except (sqlite3.Error, OSError):
            self.close()
            raise

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, on disk once the block is left; closing what failed undoes it."""
        with self._connected() as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            except BaseException:
                self.close()
                raise


def _check_guard(database: sqlite3.Connection, guard: OutgoingMessage) -> None:
    taken = database.execute(
        "SELECT guard_owner FROM bundles WHERE guard_id = ? AND guard_owner <> ?",
        (guard.msg_id, guard.body),
    ).fetchone()
    if taken:
        raise GuardTakenError(taken[0].decode("ascii", "replace"))


def _used_bytes(database: sqlite3.Connection) -> int:
    """What the rows take, whichever process wrote them; pages that were freed do not count."""
    pages, free, page_bytes = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, private to its owner: it holds what callbacks hold."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_size_limit = 8388608")
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database
