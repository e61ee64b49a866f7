"""Planning a replay: its selection is looked up once and frozen, and what it would do is foreseen.

A run never goes beyond what was there at this moment.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.bus.state.store import StateConflictError
from receiver.bus.subjects import Subjects, overlap
from receiver.errors import BusError, ConfigurationError
from receiver.replay.bounds import Bounds, bounds_among, bounds_of
from receiver.replay.forecast import forecast
from receiver.worker.replaying.record import (
    HANDLER,
    PLAN_LIFE,
    REPARSE,
    ReplayRecord,
    as_differences,
    as_fields,
    check_name,
)
from receiver.worker.replaying.store import Replays
from receiver.worker.routing import Handler

_AT_ONCE: Final = 32
_MAX_SUBJECTS: Final = 64
"""Single events on so few subjects are asked for by these, more by their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for: which events, where to, and how fast.

    `sequences` are single events. Filters of dead letters, `handler` and `cause`, stand for the
    events that the letters are of.
    """

    targets: Sequence[str]
    filters: Filters = field(default_factory=Filters)
    sequences: Sequence[int] = ()
    rate: float = 50.0
    ramp_s: float = 0.0
    forced: bool = False

    @property
    def of_letters(self) -> bool:
        """Whether events are meant that have a dead letter."""
        return self.filters.handler is not None or self.filters.cause is not None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The part of the stream, for all targets and for each, and the single events of it."""

    bounds: Bounds
    nats_subjects: Mapping[str, Sequence[str]]
    sequences: Sequence[int] = ()


class Planning:
    """Makes plans; everything raises `BusError`, and `ConfigurationError` for what selects nothing
    that could be given."""

    def __init__(
        self, replays: Replays, handlers: Sequence[Handler], *, clock: Callable[[], datetime]
    ) -> None:
        self._replays = replays
        self._connection: Connection = replays.connection
        self._subjects: Subjects = replays.subjects
        self._handlers = {handler.name: handler for handler in handlers}
        self._clock = clock

    async def freeze(
        self, name: str, wish: Wish, by: str, scanned: Scanned = lambda _: None
    ) -> ReplayRecord:
        """The plan of a wish, which is not kept yet."""
        stream = await self._stream()
        chosen = await self._chosen(wish, scanned)
        bounds, now = chosen.bounds, self._clock()
        return ReplayRecord(
            name=check_name(name),
            plan=secrets.token_hex(4),
            state="planned",
            root=self._subjects.root,
            of_stream=stream,
            by=by,
            planned_at=now,
            expires_at=now + PLAN_LIFE,
            filters=as_fields(wish.filters),
            sequences=as_differences(chosen.sequences),
            targets=list(wish.targets),
            nats_subjects={to: list(found) for to, found in chosen.nats_subjects.items()},
            first_seq=bounds.first_seq,
            last_seq=bounds.last_seq,
            count=bounds.count,
            first_at=bounds.first_at,
            last_at=bounds.last_at,
            sample=list(bounds.sample),
            app=version("yizhan"),
            code={h.name: h.code_version for h in self._of(wish.targets).values() if h},
            rate=wish.rate,
            ramp_s=wish.ramp_s,
            forced=wish.forced,
        )

    async def foreseen(
        self, record: ReplayRecord, scanned: Scanned = lambda _: None
    ) -> ReplayRecord:
        """The same plan with what it would do to each handler."""
        found = await forecast(record, self._replays, scanned)
        return record.model_copy(update={"forecast": found})

    async def keep(self, record: ReplayRecord) -> None:
        """Keep a plan, in place of one of its name that was not begun or is over; raises
        `ConfigurationError` where one is under way.
        """
        found = await self._replays.get(record.name)
        if found is not None and found.record.was_begun and not found.record.is_over:
            raise ConfigurationError(
                f"the replay {record.name} is {found.record.state}: choose another name, go on "
                f"with `yizhan replay run {record.name}`, or `yizhan replay cancel {record.name}`"
            )
        try:
            await self._replays.put(record, 0 if found is None else found.revision)
        except StateConflictError:
            raise ConfigurationError(
                f"a replay {record.name} was made at the same time: look at `yizhan replay list`"
            ) from None

    def _of(self, targets: Sequence[str]) -> Mapping[str, Handler | None]:
        """The handler of each target; None where it is something else."""
        return {
            to: self._handlers[to.removeprefix(HANDLER)] if to.startswith(HANDLER) else None
            for to in targets
        }

    async def _stream(self) -> str:
        """When the stream was made."""
        client, stream = self._connection.client, self._subjects.stream
        asking = call(client, f"STREAM.INFO.{stream}", {})
        info = await self._connection.allowed(client, asking)
        if "error" in info:
            raise BusError(f"the stream {stream}: {info['error'].get('description')}")
        return str(info["created"])

    async def _chosen(self, wish: Wish, scanned: Scanned) -> _Chosen:
        filters = wish.filters
        if wish.targets == [REPARSE]:
            if wish.sequences:
                raise ConfigurationError("--seq: selects events, and --reparse reads callbacks")
            raw = selection.callbacks(filters, self._subjects)
            bounds = await bounds_of(self._connection, raw, scanned)
            return _Chosen(bounds, {REPARSE: raw.nats_subjects})
        targets = self._of(wish.targets)
        if wish.of_letters:
            sequences = await self._of_letters(filters, scanned)
            only = set(wish.sequences)
            sequences = [seq for seq in sequences if not only or seq in only]
            filters = replace(filters, handler=None, cause=None, since=None, until=None, limit=None)
            return await self._of_sequences(sequences, filters, targets)
        if wish.sequences:
            return await self._of_sequences(wish.sequences, filters, targets)
        every = self._events(filters, targets)
        bounds = await bounds_of(self._connection, every, scanned)
        subjects = {to: self._events(filters, {to: h}).nats_subjects for to, h in targets.items()}
        return _Chosen(bounds, subjects)

    def _events(self, filters: Filters, targets: Mapping[str, Handler | None]) -> StreamSelection:
        """What is selected for some targets: all types, where one of them is no handler."""
        handlers = [handler for handler in targets.values() if handler is not None]
        among = [m.event_type for h in handlers for m in h.models]
        whole = len(handlers) < len(targets)
        return selection.events(filters, self._subjects, () if whole else among)

    async def _of_letters(self, filters: Filters, scanned: Scanned) -> list[int]:
        """The events of the letters that filters select, by their place in the stream."""
        letters = selection.letters(filters, self._subjects)
        reading = Reader(self._connection).read(letters, headers_only=True, scanned=scanned)
        texts = [letter.headers.get("yizhan-streamseq", "") async for letter in reading]
        return sorted({int(text) for text in texts if text.isascii() and text.isdecimal()})

    async def _of_sequences(
        self, sequences: Sequence[int], filters: Filters, targets: Mapping[str, Handler | None]
    ) -> _Chosen:
        every = self._events(filters, targets)
        found = [one for one in await self._got(sequences) if _is_of(one, every)]
        if filters.limit is not None:
            found = found[-filters.limit :]
        chosen = {to: self._subjects_of(found, filters, {to: h}) for to, h in targets.items()}
        return _Chosen(bounds_among(found), chosen, [one.stream_seq for one in found])

    def _subjects_of(
        self,
        found: Sequence[StoredMessage],
        filters: Filters,
        targets: Mapping[str, Handler | None],
    ) -> Sequence[str]:
        wide = self._events(filters, targets)
        exact = sorted({one.nats_subject for one in found if _is_of(one, wide)})
        return exact if 0 < len(exact) <= _MAX_SUBJECTS else wide.nats_subjects

    async def _got(self, sequences: Sequence[int]) -> list[StoredMessage]:
        """What lies at these sequences, in order; what is gone from the stream is left out."""
        reader, stream = Reader(self._connection), self._subjects.stream
        found: list[StoredMessage] = []
        ordered = sorted(set(sequences))
        for start in range(0, len(ordered), _AT_ONCE):
            part = ordered[start : start + _AT_ONCE]
            got = await asyncio.gather(*(reader.get(stream, seq) for seq in part))
            found += [one for one in got if one is not None]
        return found


def _is_of(stored: StoredMessage, every: StreamSelection) -> bool:
    """Whether a message is selected."""
    early = every.since is not None and stored.stored_at < every.since
    late = every.until is not None and stored.stored_at >= every.until
    among = any(overlap(subject, stored.nats_subject) for subject in every.nats_subjects)
    return among and not early and not late and every.keeps(stored)
