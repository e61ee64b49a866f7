"""The file behind the spool: its rows and its limit. Blocks; used by one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Bundle, NonceClaimedError
from receiver.errors import SpoolError
from receiver.observability.logs import get_logger
from receiver.spool.database import FileReplacedError, SpoolDatabase
from receiver.spool.row import ROW_BYTES, SpooledBundle, digest_of, encode_bundle, read_row

_COLUMNS: Final = "row, id, spooled_at, content, digest"
_READ: Final = f"SELECT {_COLUMNS} FROM bundles WHERE row > ? ORDER BY row"  # noqa: S608 - constants
_READ_ONE: Final = f"SELECT {_COLUMNS} FROM bundles WHERE row = ?"  # noqa: S608 - constants
_STATE: Final = """
SELECT source, count(*), min(CASE typeof(spooled_at) WHEN 'real' THEN spooled_at END)
FROM bundles GROUP BY source
"""
_LEAST_ROOM_BYTES: Final = 16 * 1024
"""With less than this a spool counts as full, though a small callback might still fit."""
_DAMAGED: Final = "damaged"
"""What stands for a source that cannot be read."""
_MAX_SOURCE_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much the spool keeps; `oldest_age_s` is zero and `by_source` empty where nothing."""

    depth: int
    oldest_age_s: float
    size_bytes: int
    by_source: Mapping[str, int] = field(default_factory=dict)


class SpoolFile:
    """The rows of one file.

    Every method raises `sqlite3.Error` or `OSError` where the disk or the file is at fault.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_bytes: int,
        busy_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._database = SpoolDatabase(path, busy_timeout_s=busy_timeout_s)
        self._unreadable: set[int] = set()

    def write(self, bundles: Sequence[Bundle]) -> list[bool | Exception]:
        """One transaction; for each bundle whether it is new, or why it was not taken.

        Raises `SpoolError` where the file is replaced again and again.
        """
        try:
            return self._write(bundles)
        except FileReplacedError:
            pass
        try:
            return self._write(bundles)
        except FileReplacedError:
            raise SpoolError(f"the spool {self._path} is replaced while it is used") from None

    def _write(self, bundles: Sequence[Bundle]) -> list[bool | Exception]:
        with self._database.transaction() as database:
            left = self._limit_bytes - _used_bytes(database)
            results: list[bool | Exception] = []
            for bundle in bundles:
                try:
                    content = self._insert(database, bundle, left)
                except (SpoolError, NonceClaimedError) as error:
                    results.append(error)
                else:
                    left -= content
                    results.append(content > 0)
        return results

    def _insert(self, database: sqlite3.Connection, bundle: Bundle, left: int) -> int:
        """The bytes that were written; 0 where the bundle was there."""
        if bundle.claim is not None:
            _check_claim(database, bundle.claim)
        if database.execute("SELECT 1 FROM bundles WHERE id = ?", (bundle.id,)).fetchone():
            self._insert_claim(database, bundle.claim)
            return 0
        return self._insert_row(database, bundle, bundle.claim, left)

    def _insert_claim(self, database: sqlite3.Connection, claim: OutgoingMessage | None) -> None:
        """The signature of a callback that is here already under another: it is used up, too."""
        if claim is None:
            return
        held = "SELECT 1 FROM bundles WHERE guard_id = ?"
        if not database.execute(held, (claim.msg_id,)).fetchone():
            self._insert_row(database, Bundle([claim]), claim, self._limit_bytes)

    def _insert_row(
        self,
        database: sqlite3.Connection,
        bundle: Bundle,
        claim: OutgoingMessage | None,
        left: int,
    ) -> int:
        content = encode_bundle(bundle)
        size_bytes = len(content) + ROW_BYTES
        if size_bytes > left:
            raise SpoolError(
                f"the spool {self._path} is full ({self._limit_bytes} bytes): bring NATS back "
                "or raise receiver.spool_limit_bytes"
            )
        database.execute(
            "INSERT INTO bundles (id, source, spooled_at, guard_id, guard_owner, size_bytes,"
            " content, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                bundle.id,
                bundle.source,
                self._clock(),
                claim.msg_id if claim else None,
                claim.body if claim else None,
                size_bytes,
                content,
                digest_of(bundle.id, content),
            ),
        )
        return size_bytes

    def read(self, *, after: int, limit: int, limit_bytes: int) -> list[SpooledBundle]:
        """The next rows, at least one where there is any, else as many as the limits allow.

        A row that cannot be read stays where it is, is logged once, and holds up no other.
        """
        found: list[SpooledBundle] = []
        with self._database.connected() as database:
            for columns in _rows_behind(database, after):
                if columns[3] is not None:
                    limit_bytes -= _size_of(columns[3])
                if len(found) == limit or (found and limit_bytes < 0):
                    break
                try:
                    found.append(read_row(*columns))
                except SpoolError:
                    self._note_unreadable(columns[0])
        return found

    def _note_unreadable(self, row: int) -> None:
        if row not in self._unreadable:
            self._unreadable.add(row)
            get_logger("yizhan.spool").error(
                "spooled_row_unreadable", row=row, spool=str(self._path)
            )

    def remove(self, rows: Sequence[int]) -> None:
        """Delete rows."""
        with self._database.connected() as database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("DELETE FROM bundles WHERE row = ?", [(row,) for row in rows])
            database.execute("COMMIT")

    def ids(self) -> frozenset[str]:
        """The ids of all rows."""
        with self._database.connected() as database:
            rows = database.execute("SELECT id FROM bundles WHERE typeof(id) = 'text'")
            return frozenset(row[0] for row in rows)

    def claims(self) -> dict[str, bytes]:
        """The used signatures of all rows, with the callback that used each."""
        with self._database.connected() as database:
            rows = database.execute(
                "SELECT guard_id, guard_owner FROM bundles"
                " WHERE typeof(guard_id) = 'text' AND typeof(guard_owner) = 'blob'"
            )
            return dict(rows.fetchall())

    def state(self) -> SpoolState:
        """Depth, age and size as they are."""
        with self._database.connected() as database:
            groups = database.execute(_STATE).fetchall()
            used_bytes = _used_bytes(database)
        now = self._clock()
        oldest = min((since for _, _, since in groups if since is not None), default=now)
        by_source: dict[str, int] = {}
        for source, count, _ in groups:
            name = _source_name(source)
            by_source[name] = by_source.get(name, 0) + count
        age_s = max(0.0, now - oldest)
        return SpoolState(sum(by_source.values()), age_s, used_bytes, by_source)

    def probe(self) -> SpoolState:
        """The state, after one synced write; raises `SpoolError` where no bundle would fit."""
        try:
            with self._database.transaction() as database:
                database.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (self._clock(),))
        except FileReplacedError:
            raise SpoolError(f"the spool {self._path} was replaced while it was used") from None
        state = self.state()
        if self._limit_bytes - state.size_bytes < _LEAST_ROOM_BYTES:
            raise SpoolError(f"the spool {self._path} is full ({self._limit_bytes} bytes)")
        return state

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._database.close()


def _rows_behind(database: sqlite3.Connection, after: int) -> Iterator[Sequence[Any]]:
    """The columns of each row; None in place of those that the file does not give.

    A page that is damaged ends a whole query, so behind it rows are read one by one.
    """
    last = after
    try:
        for columns in database.execute(_READ, (after,)):
            last = columns[0]
            yield columns
    except (sqlite3.DatabaseError, OverflowError):
        numbers = database.execute("SELECT row FROM bundles WHERE row > ? ORDER BY row", (last,))
        for (number,) in numbers.fetchall():
            try:
                yield database.execute(_READ_ONE, (number,)).fetchone()
            except (sqlite3.DatabaseError, OverflowError):
                yield (number, None, None, None, None)


def _size_of(content: object) -> int:
    return ROW_BYTES + (len(content) if isinstance(content, bytes) else 0)


def _source_name(source: object) -> str:
    """For metrics and `yizhan spool`: a damaged row could hold anything."""
    if isinstance(source, str) and source.isprintable() and len(source) <= _MAX_SOURCE_CHARS:
        return source
    return _DAMAGED


def _check_claim(database: sqlite3.Connection, claim: OutgoingMessage) -> None:
    taken = database.execute(
        "SELECT guard_owner FROM bundles WHERE guard_id = ? AND guard_owner <> ?",
        (claim.msg_id, claim.body),
    ).fetchone()
    if taken:
        raise NonceClaimedError(bytes(taken[0]).decode("ascii", "replace"))


def _used_bytes(database: sqlite3.Connection) -> int:
    """What the rows take, whichever process wrote them; pages that were freed do not count."""
    pages, free, page_bytes = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_bytes)
