"""What callbacks say today beside what was stored of them: by fact, and field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from receiver.bus.codec import decode_event
from receiver.bus.message import StoredMessage
from receiver.bus.reparsed_codec import facts_of, verified_again
from receiver.errors import DecodingError, MalformedCallbackError
from receiver.operations.look.archive import Archive
from receiver.operations.repair.quarantine import RawRef
from receiver.operations.repair.reparse import Findings, Reparsing, Today

_MAX_CHANGES: Final = 20


@dataclass(slots=True)
class Compared:
    """Facts of callbacks: those stored with them are the `same`, `changed` or `gone`; of those that
    are new the `findings` tell. `changes` are the first few by their fields, without values.
    """

    facts: Counter[str] = field(default_factory=Counter)
    changes: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def done(self) -> int:
        """How many callbacks were read."""
        return self.findings.done

    def document(self) -> dict[str, Any]:
        """As JSON."""
        words = {word: self.facts[word] for word in ("same", "changed", "gone")}
        return {**words, **self.findings.document(), "changes": self.changes}


class Comparing:
    """Reads callbacks again; raises `BusError` where NATS is away."""

    def __init__(self, archive: Archive, today: Today, reparsing: Reparsing) -> None:
        self._archive = archive
        self._today = today
        self._reparsing = reparsing

    async def read(self, raws: Sequence[StoredMessage], compared: Compared, *, dry: bool) -> None:
        """Compare what a few callbacks say now, and store what is new, unless `dry`."""
        for raw in raws:
            await self._compare(raw, compared)
        refs = [RawRef(raw.stream_seq, quarantined=False) for raw in raws]
        await self._reparsing.run(refs, compared.findings, dry=dry)

    async def _compare(self, raw: StoredMessage, compared: Compared) -> None:
        """What cannot be read is for the findings to say."""
        source = self._today.sources.get(raw.nats_subject.rpartition(".")[2])
        if source is None:
            return
        dialect = self._today.dialects[source.dialect]
        try:
            verified = verified_again(raw, source, dialect, self._today.limit_bytes)
            callback = dialect.parse(verified)
        except (DecodingError, MalformedCallbackError):
            return
        stored = await self._archive.events_of_callback(raw)
        before = {one.headers.get("ce-factid", ""): one for one in stored}
        for fact in facts_of(verified, callback, self._archive.subjects):
            event = before.pop(fact.fact_id, None)
            if event is None:
                continue
            fields = list(_changed(event, callback.events[fact.number].data))
            compared.facts["changed" if fields else "same"] += 1
            if fields and len(compared.changes) < _MAX_CHANGES:
                compared.changes.append(f"#{event.stream_seq}: {', '.join(fields)}")
        compared.facts["gone"] += len(before)


def _changed(stored: StoredMessage, now: Any) -> Iterator[str]:
    """The fields of the data that are not what they were."""
    try:
        then: Any = decode_event(stored.headers, stored.body).data
    except DecodingError:
        yield "it cannot be read by this version"
        return
    old, new = then.model_dump(mode="json"), now.model_dump(mode="json")
    yield from (name for name in {**old, **new} if old.get(name) != new.get(name))
