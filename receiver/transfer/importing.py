"""Storing what an export holds, each message once, however often it is imported."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.patience import patiently
from receiver.bus.publish.contract import Publisher, UnsendableError
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.reader import Reader
from receiver.bus.runs_stream import ensure_runs_stream
from receiver.bus.subjects import Subjects
from receiver.errors import DecodingError
from receiver.transfer.entries import EntryImport
from receiver.transfer.file import Numbered
from receiver.transfer.handlers import begin_where_they_were, check_none_runs
from receiver.transfer.kinds import KINDS, Kind, kind_of
from receiver.transfer.known import Known, names_of
from receiver.transfer.line import decode_line
from receiver.transfer.manifest import Manifest
from receiver.transfer.messages import ExpiredError, Translation
from receiver.transfer.report import Report
from receiver.transfer.storing import PATIENCE_S, publish_all, publish_alone

MAX_CHUNK: Final = 256
_MAX_CHUNK_BYTES: Final = 4 * 1024 * 1024
_LOOK_S: Final = 5.0
"""How often it is looked whether handlers have begun meanwhile."""
_RUN: Final[frozenset[Kind]] = frozenset({"events", "schedules"})
"""What handlers run."""
_ONE_PASS: Final[frozenset[Kind]] = frozenset({"events", "callbacks", "nonces", "quarantine"})
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an import goes, and how: with `dry_run` nothing is stored, with `handlers_run` it goes
    on although handlers run what is stored. `batching` stores many messages of a stream that takes
    batches, `plain` those of another.
    """

    connection: Connection
    subjects: Subjects
    batching: Publisher
    plain: Publisher
    entries: Callable[[Known], EntryImport]
    plans: Sequence[ConsumerPlan] = ()
    dry_run: bool = False
    handlers_run: bool = False
    patience_s: float = PATIENCE_S
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def stream_of(self, kind: Kind) -> str:
        """The stream that holds a kind."""
        names: dict[Kind, str] = {
            "letters": self.subjects.dead_stream,
            "runs": self.subjects.runs_stream,
            "audit": self.subjects.audit_stream,
            "state": self.subjects.state_stream,
        }
        return names.get(kind, self.subjects.stream)


class _Waiting(NamedTuple):
    """A line on its way: its number, what it is, where it was stored, and as it is to be here."""

    number: int
    kind: Kind
    old_seq: int
    stored: StoredMessage


class Import:
    """One import. What comes to it is stored in chunks, in its order; `run` it once."""

    def __init__(self, target: Target, manifest: Manifest, known: Known) -> None:
        self.report = Report()
        self._target = target
        self._manifest = manifest
        self._known = known
        self._entries = target.entries(known)
        self._translation = Translation(
            manifest, target.subjects, placed=known.placed, clock=target.clock
        )
        self._there = Subjects(manifest.root)
        self._chunk: list[_Waiting] = []
        self._chunk_bytes = 0
        self._looked_at = 0.0
        self._ends: dict[str, int] = {}
        self._floors = {one.name: one.seq for one in manifest.handlers}

    async def run(self, lines: AsyncIterator[Numbered], progress: Progress) -> Report:
        """Store what is not there yet. Raises `ConfigurationError` where handlers would run it, and
        `BusError`; `report` holds what was done by then.
        """
        await self._look_for_handlers()
        for stream in dict.fromkeys(map(self._target.stream_of, self._manifest.what)):
            await self._learn(stream)
        if "runs" in self._manifest.what and not self._target.dry_run:
            make = partial(
                ensure_runs_stream, self._target.connection.client, self._target.subjects
            )
            await patiently(make, self._target.patience_s)
        async for line in lines:
            await self._take(line)
            progress(line.number)
        await self._flush()
        return self.report

    async def begin_handlers(self) -> None:
        """After the import of a whole export: have its handlers begin where they were."""
        last = max(self._ends.get(self._target.subjects.stream, 0), 0)
        info = await Reader(self._target.connection).info(self._target.subjects.stream)
        last = info["state"]["last_seq"] if info else last
        starts = {
            name: self._known.first_placed(seq) or last + 1 for name, seq in self._floors.items()
        }
        self.report.begun, self.report.missing = await begin_where_they_were(
            self._target.connection, self._target.plans, self._manifest, starts
        )

    @property
    def is_of_all(self) -> bool:
        """Whether the export is of everything that was there."""
        return set(self._manifest.what) == set(KINDS) and not self._manifest.filters

    async def _look_for_handlers(self) -> None:
        """Raises `ConfigurationError` where they would run what is stored now."""
        target, now = self._target, asyncio.get_running_loop().time()
        asked = target.handlers_run or target.dry_run or not _RUN & {*self._manifest.what}
        if not asked and now - self._looked_at >= _LOOK_S:
            look = partial(check_none_runs, target.connection, target.subjects)
            await patiently(look, target.patience_s)
            self._looked_at = now

    async def _learn(self, stream: str) -> None:
        """What a stream holds now."""
        connection = self._target.connection
        info = await Reader(connection).info(stream)
        if info is None or not info["state"]["messages"]:
            self._ends[stream] = 0
            return
        self._ends[stream] = info["state"]["last_seq"]
        if stream == self._target.subjects.state_stream:
            return
        patience_s = self._target.patience_s
        async with opened_history(
            connection, stream, Span(), headers_only=True, patience_s=patience_s
        ) as history:
            async for stored in history.read():
                names = names_of(stored.headers)
                if MSG_ID not in stored.headers:
                    names.append(f"from {stream} {info['created']} {stored.stream_seq}")
                self._known.add(stream, names, stored.stream_seq)

    async def _take(self, line: Numbered) -> None:
        try:
            found = decode_line(line.raw)
            kind = kind_of(found.stored.nats_subject, self._there)
            if kind is None:
                raise DecodingError("its subject is none of an export")
            stored = self._translation.rooted(found)
        except DecodingError as error:
            self.report.fail(line.number, str(error))
            return
        if self._chunk and _pass_of(self._chunk[-1].kind) != _pass_of(kind):
            await self._flush()
        logged = self._target.stream_of(kind) == self._target.subjects.stream
        old_seq = found.stored.stream_seq if logged else 0
        self._chunk.append(_Waiting(line.number, kind, old_seq, stored))
        self._chunk_bytes += len(line.raw)
        if len(self._chunk) >= MAX_CHUNK or self._chunk_bytes >= _MAX_CHUNK_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
        if not chunk:
            return
        if chunk[0].kind in _RUN:
            await self._look_for_handlers()
        match chunk[0].kind:
            case "state":
                await asyncio.gather(*map(self._put_entry, chunk))
            case "schedules":
                for waiting in chunk:
                    await self._put_off(waiting)
            case "runs" | "audit":
                await self._store(chunk, self._target.plain)
            case _:
                await self._store(chunk, self._target.batching)

    async def _store(self, chunk: Sequence[_Waiting], publisher: Publisher) -> None:
        fresh: list[tuple[_Waiting, OutgoingMessage]] = []
        for waiting in chunk:
            if self._is_there(waiting):
                continue
            try:
                fresh.append((waiting, self._translation.message(waiting.stored)))
            except ExpiredError:
                self.report.count(waiting.kind, "expired")
        if self._target.dry_run:
            for waiting, _ in fresh:
                self._stored(waiting, 0)
            return
        results = await publish_all(
            publisher, [message for _, message in fresh], patience_s=self._target.patience_s
        )
        for (waiting, _), result in zip(fresh, results, strict=True):
            if isinstance(result, UnsendableError):
                self.report.fail(waiting.number, str(result), waiting.kind)
            elif not result.duplicate:
                self._stored(waiting, result.stream_seq)
            elif result.stream_seq <= self._ends[self._target.stream_of(waiting.kind)]:
                self.report.fail(waiting.number, _DELETED, waiting.kind)
            else:
                self._note(waiting, result.stream_seq)
                self.report.count(waiting.kind, "already there")

    async def _put_off(self, waiting: _Waiting) -> None:
        """What a handler put off, or what is due and not finished."""
        tokens = waiting.stored.nats_subject.split(".")
        if tokens[1] == "due" and waiting.old_seq < self._floors.get(tokens[2], 0):
            self.report.count(waiting.kind, "done there")
            return
        if self._is_there(waiting):
            return
        try:
            message = self._translation.schedule(waiting.stored)
        except ExpiredError:
            self.report.count(waiting.kind, "expired")
            return
        except DecodingError as error:
            self.report.fail(waiting.number, str(error), waiting.kind)
            return
        if self._target.dry_run:
            self._stored(waiting, 0)
        elif tokens[1] == "due":
            await self._store([waiting], self._target.plain)
        else:
            await self._put_alone(waiting, message)

    async def _put_alone(self, waiting: _Waiting, message: OutgoingMessage) -> None:
        connection, patience_s = self._target.connection, self._target.patience_s
        try:
            stored = await publish_alone(connection, message, patience_s=patience_s)
        except UnsendableError as error:
            self.report.fail(waiting.number, str(error), waiting.kind)
        else:
            self.report.count(waiting.kind, "stored" if stored else "kept")

    async def _put_entry(self, waiting: _Waiting) -> None:
        """An entry of the state stream."""
        key = waiting.stored.nats_subject.removeprefix(self._target.subjects.state(""))
        try:
            ttl = self._translation.left(waiting.stored)
            put = partial(self._entries.put, key, waiting.stored.body, ttl)
            self.report.count(waiting.kind, await patiently(put, self._target.patience_s))
        except ExpiredError:
            self.report.count(waiting.kind, "expired")
        except (DecodingError, UnsendableError) as error:
            self.report.fail(waiting.number, str(error), waiting.kind)

    def _is_there(self, waiting: _Waiting) -> bool:
        """Whether the target has it; then it is counted."""
        stream = self._target.stream_of(waiting.kind)
        seq = self._known.seq_of(stream, names_of(waiting.stored.headers))
        if seq is None:
            return False
        self._note(waiting, seq)
        self.report.count(waiting.kind, "already there")
        return True

    def _stored(self, waiting: _Waiting, seq: int) -> None:
        self._note(waiting, seq)
        self.report.count(waiting.kind, "stored")

    def _note(self, waiting: _Waiting, seq: int) -> None:
        stream = self._target.stream_of(waiting.kind)
        self._known.add(stream, names_of(waiting.stored.headers), seq)
        if waiting.old_seq and seq:
            self._known.place(waiting.old_seq, seq)


_DELETED: Final = (
    "it was deleted here a short while ago, and its id is known still: "
    "import again once the duplicate window is over"
)


def _pass_of(kind: Kind) -> str:
    """What may be in one chunk."""
    return "log" if kind in _ONE_PASS else kind
