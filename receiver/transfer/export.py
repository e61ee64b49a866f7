"""Writing what is stored to a file, as it is now: what is stored meanwhile is left out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.durables import durables
from receiver.bus.read.filters import Filters
from receiver.bus.read.history import History, opened_history
from receiver.bus.read.reader import Reader
from receiver.bus.subjects import Subjects
from receiver.transfer.file import ExportWriter
from receiver.transfer.kinds import Kind, Section, kind_of, sections
from receiver.transfer.line import Line, encode_line
from receiver.transfer.manifest import ExportedHandler, ExportedStream, Manifest

PATIENCE_S: Final = 30.0
"""How long a reading waits for a server that restarts."""
_TURN: Final = 100
"""Lines after which others on the event loop have a turn."""
_DELETED: Final = frozenset({"DEL", "PURGE"})
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to export, and the filters as words for the manifest."""

    kinds: Collection[Kind]
    filters: Filters
    words: Mapping[str, str]


class Export:
    """One export."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        request: Request,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._request = request
        self._patience_s = patience_s
        self._reader = Reader(connection, patience_s=patience_s)

    async def write(self, out: ExportWriter, opened: Progress, progress: Progress) -> None:
        """Write every line; `opened` gets about how many there are, `progress` how many there
        are so far.

        Raises `BusError` where NATS does not answer for `patience_s`.
        """
        wanted = sections(self._request.kinds, self._request.filters, self._subjects)
        infos = {name: await self._reader.info(name) for name in _streams(wanted)}
        async with contextlib.AsyncExitStack() as stack:
            there = [one for one in wanted if infos[one.selection.stream] is not None]
            readings = [(one, await stack.enter_async_context(self._open(one))) for one in there]
            opened(sum(history.count for _, history in readings))
            out.begin(await self._manifest(infos))
            for section, history in readings:
                await self._copy(section, history, out, progress)

    def _open(self, section: Section) -> contextlib.AbstractAsyncContextManager[History]:
        chosen = section.selection
        return opened_history(
            self._connection, chosen.stream, chosen.span, patience_s=self._patience_s
        )

    async def _copy(
        self, section: Section, history: History, out: ExportWriter, progress: Progress
    ) -> None:
        stream = section.selection.stream
        async for stored in history.read():
            kind = kind_of(stored.nats_subject, self._subjects)
            deleted = stored.headers.get("KV-Operation") in _DELETED
            if kind is None or deleted or not section.takes(stored, kind):
                continue
            out.put(kind, encode_line(Line(stream, stored)))
            done = out.counts.total()
            if done % _TURN == 0:
                progress(done)
                await asyncio.sleep(0)
        progress(out.counts.total())

    async def _manifest(self, infos: Mapping[str, Mapping[str, Any] | None]) -> Manifest:
        request, stream = self._request, self._subjects.stream
        found = await durables(self._connection.client, stream) if stream in infos else []
        return Manifest(
            product=version("yizhan"),
            root=self._subjects.root,
            made_at=datetime.now(UTC),
            what=tuple(request.kinds),
            filters=dict(request.words),
            streams=tuple(_stream(name, info) for name, info in infos.items() if info is not None),
            handlers=tuple(
                ExportedHandler(
                    name=one.handler, seq=one.floor + 1, undone=one.pending + one.unfinished
                )
                for one in found
                if not one.half_made
            ),
        )


def _streams(wanted: Sequence[Section]) -> Sequence[str]:
    return list(dict.fromkeys(section.selection.stream for section in wanted))


def _stream(name: str, info: Mapping[str, Any]) -> ExportedStream:
    state = info["state"]
    return ExportedStream(
        name=name,
        created=info["created"],
        first_seq=state["first_seq"],
        last_seq=state["last_seq"],
    )
