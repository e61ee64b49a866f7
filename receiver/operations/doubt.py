"""Effects of which nothing here knows whether they happened, and what an operator says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from receiver.bus.read.filters import Filters
from receiver.bus.state.keys import key_token
from receiver.bus.state.store import NOTHING, StateConflictError, StateStore
from receiver.errors import ConfigurationError, DecodingError
from receiver.operations.audit_trail import AuditTrail
from receiver.worker.effects.holders import Holders
from receiver.worker.effects.ledger import MARGIN
from receiver.worker.effects.states import EffectRecord, read_record, why_in_doubt

_KEY: Final = re.compile(r"effect(\.[A-Za-z0-9_=-]+){3}")
"""What `effect_key` gives: no wildcards, by which another effect would be found."""


class Doubt(NamedTuple):
    """An effect and its key; `revision` is that of its entry."""

    key: str
    record: EffectRecord
    revision: int


class Doubts:
    """The effects below one root; events are kept for `kept`. What an operator says is recorded on
    the trail that `trail_of` gives for who says it.
    """

    def __init__(
        self,
        store: StateStore,
        holders: Holders,
        *,
        kept: timedelta,
        trail_of: Callable[[str], AuditTrail],
    ) -> None:
        self._trail_of = trail_of
        self._store = store
        self._holders = holders
        self._ttl = kept + MARGIN

    async def chosen(self, filters: Filters, now: datetime) -> list[Doubt]:
        """What is in doubt, and what is claimed although its time is up, by handler, type of event
        and order, and by when that state was entered; the last `limit` of those. Those that changed
        last come last. Raises `BusError`.
        """
        handler = filters.handler
        prefix = "effect" if handler is None else f"effect.{key_token(handler)}"
        found = []
        async for key, entry in self._store.scan(prefix):
            if entry.value is None:
                continue
            record = _read(key, entry.value)
            if _is_in_doubt(record, now) and _selects(filters, record):
                found.append(Doubt(key, record, entry.revision))
        return found[-filters.limit if filters.limit else 0 :]

    async def of(self, key: str) -> Doubt:
        """The effect of a key, in whatever state; raises `ConfigurationError` without one."""
        value, revision = await self._store.get(key) if _KEY.fullmatch(key) else NOTHING
        if value is None:
            raise ConfigurationError(
                f"{key}: there is no such effect: `yizhan doubt` lists what is in doubt"
            )
        return Doubt(key, _read(key, value), revision)

    async def settle(self, key: str, *, happened: bool, by: str, note: str, now: datetime) -> Doubt:
        """Say what became of an effect; final where it happened, else the next run does it.

        Raises `ConfigurationError` where it is not in doubt, or changed at the same time, and
        `BusError`.
        """
        found = await self.of(key)
        said = {"effect": key, "verdict": "happened" if happened else "not-happened"}
        trail, target = self._trail_of(by), found.record.handler
        async with trail.act("doubt-settle", target=target, reason=note, filters=said):
            return await self._settle(found, happened=happened, by=by, note=note, now=now)

    async def _settle(
        self, found: Doubt, *, happened: bool, by: str, note: str, now: datetime
    ) -> Doubt:
        key, record, revision = found
        try:
            if record.state == "claimed":
                record = record.moved("in_doubt", now, why=await self._why(key, record, now))
                revision = await self._store.put(key, record.encoded(), revision, ttl=self._ttl)
            if record.state != "in_doubt":
                raise ConfigurationError(f"{key}: is {record.state}, and not in doubt")
            settled = record.moved("settled", now, happened=happened, by=by, note=note)
            revision = await self._store.put(key, settled.encoded(), revision, ttl=self._ttl)
        except StateConflictError as error:
            raise ConfigurationError(f"{key}: changed just now: look at it again") from error
        return Doubt(key, settled, revision)

    async def _why(self, key: str, record: EffectRecord, now: datetime) -> str:
        answer = await self._holders.asked(record)
        why = why_in_doubt(answer, late=record.deadline < now)
        if why is None:
            raise ConfigurationError(
                f"{key}: its body may still run, in the process {record.worker}: wait until "
                f"{record.deadline.isoformat(timespec='seconds')}, or end that process"
            )
        return why


def _is_in_doubt(record: EffectRecord, now: datetime) -> bool:
    return record.state == "in_doubt" or (record.state == "claimed" and record.deadline < now)


def _selects(filters: Filters, record: EffectRecord) -> bool:
    return (
        filters.event_type in {None, record.event_type, record.event_type.partition(".")[0]}
        and filters.order_id in {None, record.order_id}
        and (filters.since is None or record.at >= filters.since)
        and (filters.until is None or record.at < filters.until)
    )


def _read(key: str, value: bytes) -> EffectRecord:
    try:
        return read_record(value)
    except DecodingError as error:
        raise ConfigurationError(f"{key}: {error}: delete it from the bucket") from error
