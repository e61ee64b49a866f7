"""How everything stands, as one document that begins with a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError, ConfigurationError, SpoolError
from receiver.operations.handler_report import handler_report
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.room import disk_document, stream_documents
from receiver.operations.look.silence.explanation import explain
from receiver.operations.look.silence.facts import SourceFacts, last_callbacks, source_facts
from receiver.operations.look.silence.improbability import Silence
from receiver.operations.look.snoozes import snoozes
from receiver.operations.look.verdict import away, verdict
from receiver.spool.file import SpoolState

DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_SHORT: Final = timedelta(minutes=10)
"""No source is called silent so soon."""
_USUAL: Final = 10
"""So many callbacks in the same stretch of an earlier day make a silence stand out."""
_IN_DOUBT: Final = "InDoubtError:"
"""Begins the reason of a letter of an effect in doubt (docs/operations.md#effects-in-doubt)."""
FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True)
class Place:
    """What is looked at: `sources` of the settings, the spool of this machine where there is one,
    the bytes that are free for the streams and when the certificate expires, where that is known.
    """

    archive: Archive
    handlers: HandlerOperations
    sources: Collection[str] = ()
    spool: Callable[[], Awaitable[SpoolState]] | None = None
    free_bytes: int | None = None
    certificate: datetime | None = None


async def status(place: Place, now: datetime, unknown: Sequence[str] = ()) -> dict[str, Any]:
    """The document of `yizhan status`. What cannot be read is null, and a sentence in `missing`,
    as is what was `unknown` before.
    """
    missing = [*unknown]

    async def part(asked: Coroutine[Any, Any, FoundT], what: str) -> FoundT | None:
        try:
            return await asked
        except (BusError, ConfigurationError, SpoolError, OSError) as error:
            missing.append(f"{what}: {error}")
            return None

    sources, streams, handlers, letters, spool = await asyncio.gather(
        part(_sources(place, now), "sources"),
        part(_streams(place, now), "streams"),
        part(_handlers(place, now), "handlers"),
        part(_letters(place, now), "dead letters"),
        part(_spool(place.spool), "spool"),
    )
    document: dict[str, Any] = {
        "at": now.isoformat(timespec="seconds"),
        "sources": sources,
        "streams": streams,
        "disk": disk_document(streams or (), place.free_bytes, now),
        "handlers": handlers,
        "dead_letters": letters,
        "spool": spool,
        "missing": missing,
    }
    return {"verdict": verdict(document), **document}


async def status_without_nats(
    spool: Callable[[], Awaitable[SpoolState]] | None, why: str, now: datetime
) -> dict[str, Any]:
    """The same document where NATS is away: `why`, and what the spool of this machine holds."""
    missing, kept = [why], None
    try:
        kept = await _spool(spool)
    except (SpoolError, OSError) as error:
        missing.append(f"spool: {error}")
    unknown = dict.fromkeys(("sources", "streams", "disk", "handlers", "dead_letters"))
    return {
        "verdict": {"well": False, "sentence": away(missing, kept), "concerns": missing},
        "at": now.isoformat(timespec="seconds"),
        **unknown,
        "spool": kept,
        "missing": missing,
    }


async def _sources(place: Place, now: datetime) -> list[dict[str, Any]]:
    """Those of the settings, and those of which callbacks are stored."""
    archive, subjects = place.archive, place.archive.subjects
    raw = await _counts(archive, subjects.raw("*"))
    quarantined = await _counts(archive, subjects.quarantine("*"))
    last = await last_callbacks(archive)
    facts = await source_facts(
        archive, place.sources, now, last=last, certificate=place.certificate
    )
    return [
        await _source(place, one, raw.get(name, 0), quarantined.get(name, 0), now)
        for name, one in facts.items()
    ]


async def _source(
    place: Place, facts: SourceFacts, raw: int, quarantined: int, now: datetime
) -> dict[str, Any]:
    subjects, name, last = place.archive.subjects, facts.name, facts.last_at
    both = (subjects.raw(name), subjects.quarantine(name))
    silent = now - last if last else None
    usual = await _usual(place.archive, both, last, now) if last else None
    guessed = usual is not None and usual >= _USUAL
    return {
        "source": name,
        "configured": name in place.sources,
        "callbacks": raw + quarantined,
        "quarantined": quarantined,
        "quarantined_day": await _day(place.archive, subjects.quarantine(name), now)
        if quarantined
        else 0,
        "last_at": last.isoformat(timespec="seconds") if last else None,
        "silent_s": round(silent.total_seconds(), 1) if silent is not None else None,
        "usual": usual,
        "silence": _silence(facts.silence),
        "is_silent": guessed if facts.silence is None else facts.is_improbable,
        "is_refused": facts.refuses(now),
        "explained": explain(facts, now),
    }


def _silence(silence: Silence | None) -> dict[str, float] | None:
    if silence is None:
        return None
    return {key: round(value, 2) for key, value in silence._asdict().items()}


async def _usual(
    archive: Archive, nats_subjects: Sequence[str], last: datetime, now: datetime
) -> int | None:
    """How many callbacks came in the same stretch of time a week ago, or yesterday where the
    stream does not reach back so far; None where it is too short to say.
    """
    if now - last < _SHORT:
        return None
    for earlier in (_WEEK, DAY):
        since, until = last - earlier, now - earlier
        stretch = StreamSelection(archive.subjects.stream, nats_subjects, since, until)
        if count := await archive.reader.count(stretch):
            return count
    return 0


async def _day(archive: Archive, nats_subject: str, now: datetime) -> int:
    stream = archive.subjects.stream
    return await archive.reader.count(StreamSelection(stream, [nats_subject], now - DAY))


async def _streams(place: Place, now: datetime) -> list[dict[str, Any]]:
    archive = place.archive
    return await stream_documents(archive.reader, archive.subjects, place.free_bytes, now)


async def _handlers(place: Place, now: datetime) -> list[dict[str, Any]]:
    return [handler_report(view, now) for view in await place.handlers.look()]


async def _letters(place: Place, now: datetime) -> dict[str, Any]:
    """How many, of how many causes, how many of them are of the last day, and how many of an effect
    of which nothing knows whether it happened: one cause is one kind of error. `snoozed` is how
    many of these are of causes that are snoozed, `handlers` whose letters are not all snoozed.
    """
    archive, subjects = place.archive, place.archive.subjects
    counted = await archive.count_by_subject(subjects.dead_stream, subjects.all_dead)
    newest = await archive.reader.last(subjects.dead_stream, list(counted))
    doubts = {one.nats_subject for one in newest if _is_in_doubt(one)}
    found = await snoozes(archive.reader, subjects, now) if counted else ()
    asleep = counted.keys() & {subjects.dead(one.handler, one.cause) for one in found}
    return {
        **await _counted_letters(archive, counted, doubts, [subjects.all_dead], now),
        "snoozed": await _counted_letters(
            archive, {one: counted[one] for one in asleep}, doubts, sorted(asleep), now
        ),
        "handlers": sorted({one.split(".")[2] for one in counted.keys() - asleep}),
    }


async def _counted_letters(
    archive: Archive,
    counted: Mapping[str, int],
    doubts: Collection[str],
    among: Sequence[str],
    now: datetime,
) -> dict[str, int]:
    lately = StreamSelection(archive.subjects.dead_stream, among, now - DAY)
    count = sum(counted.values())
    return {
        "count": count,
        "causes": len(counted),
        "last_day": min(count, await archive.reader.count(lately)) if counted else 0,
        "in_doubt": sum(count for subject, count in counted.items() if subject in doubts),
    }


def _is_in_doubt(letter: StoredMessage) -> bool:
    return decode_header(letter.headers.get("yizhan-reason", "")).startswith(_IN_DOUBT)


async def _spool(spool: Callable[[], Awaitable[SpoolState]] | None) -> dict[str, Any] | None:
    if spool is None:
        return None
    state = await spool()
    return {
        "callbacks": state.depth,
        "bytes": state.size_bytes,
        "oldest_age_s": round(state.oldest_age_s, 1),
        "sources": dict(state.by_source),
    }


async def _counts(archive: Archive, nats_subjects: str) -> dict[str, int]:
    """How many messages each source has; the last token names it."""
    counted = await archive.count_by_subject(archive.subjects.stream, nats_subjects)
    return {subject.rpartition(".")[2]: count for subject, count in counted.items()}
