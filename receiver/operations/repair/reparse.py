"""Reading callbacks again, as dialects and settings are now, and dropping what is of no use.

A callback's facts are compared with what is stored, by fact id, and only what is new is stored.
One that was in quarantine and can be read is then stored as if it had been read at once, and leaves
quarantine. A process that ends in between leaves it there: read again, it stores nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.patience import PATIENCE_S
from receiver.bus.publish.contract import Publisher, RefusedError
from receiver.bus.publish.raw_age import RawAge
from receiver.bus.read.selection import HeaderTest, StreamSelection
from receiver.bus.reparsed_codec import Fact, encode_reparsed, facts_of, verified_again
from receiver.callback import Callback, VerifiedRequest
from receiver.dialects.dialect import Dialect
from receiver.errors import DecodingError, MalformedCallbackError, YizhanError
from receiver.operations.patience import delete, publish
from receiver.operations.repair.quarantine import Quarantine, RawRef
from receiver.operations.repair.tally import Progress, Tally
from receiver.settings import SourceSettings


class Today(NamedTuple):
    """How callbacks are read now: the sources by name, the dialects, the limit of a body; and for
    how long those are kept that leave quarantine, None for as long as everything.
    """

    sources: Mapping[str, SourceSettings]
    dialects: Mapping[str, Dialect]
    limit_bytes: int
    age: RawAge | None = None


@dataclass(slots=True)
class Findings(Tally):
    """Of callbacks: `read`, `unchanged` (read before, with nothing new), `unreadable`,
    `unverified`, `without source`, `taken`. `new` are the events that came or would come by type,
    `known` is how many facts were stored already.
    """

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**Tally.document(self), "new": dict(self.new), "known": self.known}


class _Reading(NamedTuple):
    verified: VerifiedRequest
    callback: Callback
    chosen: Sequence[Fact]


class Reparsing:
    """Reads callbacks again. Everything raises `BusError` where NATS is away for `patience_s`; what
    was done until then is in the `Findings` that were given.
    """

    def __init__(
        self,
        quarantine: Quarantine,
        today: Today,
        publisher: Publisher,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._quarantine = quarantine
        self._today = today
        self._publisher = publisher
        self._patience_s = patience_s

    async def run(
        self,
        chosen: Sequence[RawRef],
        findings: Findings,
        progress: Progress = lambda _: None,
        *,
        dry: bool = False,
    ) -> None:
        """Read each again, and store what is new, unless `dry`."""
        seen: set[str] = set()
        for ref in chosen:
            stored = await self._quarantine.reader.get(self._quarantine.subjects.stream, ref.seq)
            if stored is None:
                findings.counts["taken"] += 1
            elif (reading := await self._read(stored, findings, seen)) is not None:
                await self._keep(ref, reading, findings, dry=dry)
            progress(findings.done)

    async def drop(
        self, chosen: Sequence[RawRef], findings: Findings, progress: Progress = lambda _: None
    ) -> None:
        """Delete callbacks in quarantine for good, on the disk, too."""
        for ref in chosen:
            findings.counts["dropped" if await self._delete(ref, erase=True) else "taken"] += 1
            progress(findings.done)

    async def _read(
        self, stored: StoredMessage, findings: Findings, seen: set[str]
    ) -> _Reading | None:
        """The facts of a callback that are new; None where it cannot be read, which is counted."""
        name = stored.nats_subject.rpartition(".")[2]
        source = self._today.sources.get(name)
        if source is None:
            reason = f"no source of the settings is named {name}"
            findings.failed(stored.stream_seq, reason, word="without source")
            return None
        dialect = self._today.dialects[source.dialect]
        try:
            verified = verified_again(stored, source, dialect, self._today.limit_bytes)
        except DecodingError as error:
            findings.failed(stored.stream_seq, str(error), word="unverified")
            return None
        try:
            callback = dialect.parse(verified)
        except MalformedCallbackError as error:
            reason = f"{error.place or 'body'}: {error.reason}"
            findings.failed(stored.stream_seq, reason, word="unreadable")
            return None
        chosen = []
        for fact in facts_of(verified, callback, self._quarantine.subjects):
            if fact.fact_id in seen or await self._is_stored(fact, stored):
                findings.known += 1
            else:
                seen.add(fact.fact_id)
                chosen.append(fact)
        return _Reading(verified, callback, chosen)

    async def _is_stored(self, fact: Fact, raw: StoredMessage) -> bool:
        """Whether an event reports the fact. Without an order only its own callback's do, and those
        are later than that.
        """
        subjects = self._quarantine.subjects
        since = None if fact.order_id else raw.stored_at
        test = HeaderTest("ce-factid", fact.fact_id)
        among = StreamSelection(subjects.stream, [fact.nats_subject], since, tests=[test])
        reading = self._quarantine.reader.read(among, headers_only=not fact.order_id)
        async for _ in reading:
            return True
        return False

    async def _keep(self, ref: RawRef, reading: _Reading, findings: Findings, *, dry: bool) -> None:
        if not dry and (ref.quarantined or reading.chosen):
            messages: Sequence[OutgoingMessage] = encode_reparsed(
                reading.verified,
                reading.callback,
                reading.chosen,
                self._quarantine.subjects,
                quarantined=ref.quarantined,
            )
            if self._today.age is not None:
                messages = self._today.age.limited(messages)
            try:
                stored = await publish(self._publisher, messages, self._patience_s)
            except RefusedError as error:
                findings.failed(ref.seq, str(error))
                return
            if ref.quarantined:
                await self._delete(ref, erase=False)
            if all(one.duplicate for one in stored):
                findings.counts["taken"] += 1
                return
        findings.new.update(fact.event_type for fact in reading.chosen)
        findings.made["events"] += len(reading.chosen)
        changed = ref.quarantined or reading.chosen
        findings.counts["read" if changed else "unchanged"] += 1

    async def _delete(self, ref: RawRef, *, erase: bool) -> bool:
        if not ref.quarantined:
            raise YizhanError(f"#{ref.seq}: is not in quarantine")
        connection, stream = self._quarantine.connection, self._quarantine.subjects.stream
        return await delete(connection, stream, ref.seq, self._patience_s, erase=erase)
