"""What is known of each source: when it sent, what became of it, how improbable silence is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.durables import count_subjects
from receiver.bus.metric_totals import read_counted
from receiver.bus.metrics_stream import MetricsStream
from receiver.errors import BusError
from receiver.observability.moments import REFUSED, Moment, Moments
from receiver.operations.look.archive import Archive
from receiver.operations.look.silence.history import Histories
from receiver.operations.look.silence.improbability import IMPROBABLE, MAX_HOURS, Silence

_LATELY: Final = timedelta(hours=1)
_SEVERAL: Final = 3
"""Fewer refusals may be anyone's."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What concerns all sources: `receivers` that report now, None where that is not known, and
    when the certificate of the settings expires, None where there is none.
    """

    receivers: int | None = None
    certificate: datetime | None = None


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Of one source. `silence` is None where too little is known to judge it; `moments` are those
    that receivers reported, of all sources.
    """

    name: str
    last_at: datetime | None
    silence: Silence | None
    moments: Moments
    around: Surroundings

    @property
    def is_improbable(self) -> bool:
        """Whether its silence is worth a look at night."""
        return self.silence is not None and self.silence.improbability >= IMPROBABLE

    def lately(self, what: str, now: datetime) -> dict[str, Moment]:
        """What happened within the last hour, by reason."""
        found = self.moments.of(self.name, what)
        after_s = (now - _LATELY).timestamp()
        return {reason: one for reason, one in found.items() if one.last_s >= after_s}

    def refuses(self, now: datetime) -> bool:
        """Whether all that came lately was refused, and is still."""
        refused = self.lately(REFUSED, now).values()
        if sum(one.times for one in refused) < _SEVERAL:
            return False
        return self.last_at is None or self.last_at.timestamp() < min(o.first_s for o in refused)


async def last_callbacks(archive: Archive) -> dict[str, datetime]:
    """When the last callback of each source was stored, that could be read or not."""
    subjects, client = archive.subjects, archive.connection.client
    found: dict[str, datetime] = {}
    for every in (subjects.raw("*"), subjects.quarantine("*")):
        stored = await count_subjects(client, subjects.stream, every)
        for message in await archive.reader.last(subjects.stream, list(stored)):
            source = message.nats_subject.rpartition(".")[2]
            found[source] = max(message.stored_at, found.get(source, message.stored_at))
    return found


async def source_facts(
    archive: Archive,
    configured: Collection[str],
    now: datetime,
    *,
    last: Mapping[str, datetime] | None = None,
    certificate: datetime | None = None,
) -> dict[str, SourceFacts]:
    """Of the sources of the settings, and of those of which callbacks are stored; `last` is what
    `last_callbacks` gives. Raises what `Archive` raises.
    """
    stored = await last_callbacks(archive) if last is None else last
    silences = await Histories(archive).silences(stored, now, at_once=MAX_HOURS)
    moments, receivers = await _reported(archive, now)
    around = Surroundings(receivers, certificate)
    return {
        name: SourceFacts(name, stored.get(name), silences.get(name), moments, around)
        for name in dict.fromkeys([*configured, *sorted(stored)])
    }


async def _reported(archive: Archive, now: datetime) -> tuple[Moments, int | None]:
    """What receivers report, and how many do; nothing where that cannot be read."""
    subjects = archive.subjects
    try:
        counted = await read_counted(MetricsStream(archive.connection.client, subjects), subjects)
    except BusError:
        return Moments(), None
    figures, running = counted.sum(now)
    return figures.moments, running.get("receiver", 0)
