"""What the target of an import holds already, and where what it gets is put.

The duplicate window of a stream forgets after hours, its messages do not: their ids are read once,
before anything is stored. They are kept in a temporary database of our own, on disk where they are
many: memory does not grow with the stream.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final, Self

from receiver.bus.message import MSG_ID

STORED_AT: Final = "yizhan-storedat"
"""The header that says when an imported message was stored first."""
IMPORTED_FROM: Final = "yizhan-importedfrom"
"""The header that says where: stream, when that was made, and the sequence there."""
_CACHE_KIB: Final = 32 * 1024
_TABLES: Final = """
    CREATE TABLE ids (stream TEXT, id TEXT, seq INTEGER, PRIMARY KEY (stream, id)) WITHOUT ROWID;
    CREATE TABLE places (old INTEGER PRIMARY KEY, new INTEGER);
    CREATE INDEX by_new ON places (new);
"""


class Known:
    """Ids by stream, and for each imported message of the main stream its sequence there and here.

    It is gone with its process, or at the end of a `with` block.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()

    def add(self, stream: str, names: Iterable[str], seq: int) -> None:
        """Note what a stream holds at a sequence."""
        rows = ((stream, name, seq) for name in names)
        self._database.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?, ?)", rows)

    def seq_of(self, stream: str, names: Iterable[str]) -> int | None:
        """Where a stream holds what has one of these names; None where it does not."""
        for name in names:
            found = self._database.execute(
                "SELECT seq FROM ids WHERE stream = ? AND id = ?", (stream, name)
            ).fetchone()
            if found:
                return int(found[0])
        return None

    def place(self, old: int, new: int) -> None:
        """Note that the message of a sequence there has another here."""
        self._database.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", (old, new))

    def placed(self, old: int) -> int | None:
        """The sequence here of a message there; None where it is not known."""
        found = self._database.execute("SELECT new FROM places WHERE old = ?", (old,)).fetchone()
        return int(found[0]) if found else None

    def came_from(self, new: int) -> int | None:
        """The sequence there of the message that has one here; None where it is not known."""
        asked = "SELECT max(old) FROM places WHERE new = ?"
        found = self._database.execute(asked, (new,)).fetchone()
        return None if found[0] is None else int(found[0])

    def first_placed(self, old: int) -> int | None:
        """The first sequence here of what lies there from a sequence on; None for nothing."""
        asked = "SELECT min(new) FROM places WHERE old >= ?"
        found = self._database.execute(asked, (old,)).fetchone()
        return None if found[0] is None else int(found[0])


def names_of(headers: Mapping[str, str]) -> list[str]:
    """By what a message is known again: its id, and where it was imported from."""
    found = []
    if msg_id := headers.get(MSG_ID):
        found.append(f"id {msg_id}")
    if origin := headers.get(IMPORTED_FROM):
        found.append(f"from {origin}")
    return found
