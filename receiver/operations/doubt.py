"""Effects of which nothing here knows whether they happened, and what an operator says of them."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from receiver.bus.connection import Connection
from receiver.bus.durables import durables, stored_time
from receiver.bus.read.filters import Filters
from receiver.bus.state.keys import key_token
from receiver.bus.state.store import NOTHING, StateConflictError, StateStore
from receiver.bus.subjects import Subjects
from receiver.client.masking import masked_reply
from receiver.errors import BusError, ConfigurationError, DecodingError
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.selecting import unknown_handler
from receiver.worker.effects.holders import Holders
from receiver.worker.effects.ledger import MARGIN
from receiver.worker.effects.states import EffectRecord, read_record, why_in_doubt

_KEY: Final = re.compile(r"effect(\.[A-Za-z0-9_=-]+){3,4}")
"""What `effect_key` gives: no wildcards, by which another effect would be found."""


_LONG_DAYS: Final = 3650
"""Where events are kept for ever."""


class Doubt(NamedTuple):
    """An effect and its key; `revision` is that of its entry."""

    key: str
    record: EffectRecord
    revision: int


def doubt_document(found: Doubt, *, reveal: bool = True) -> dict[str, Any]:
    """An effect as JSON; without `reveal` personal data of its result is masked."""
    document = {"key": found.key, **found.record.model_dump(mode="json")}
    result = document["result"]
    if not reveal and isinstance(result, dict | list):
        document["result"] = masked_reply(result)
    return document


class Doubts:
    """The effects below one root; events are kept for `kept`. What an operator says is recorded on
    the trail that `trail_of` gives for who says it.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        store: StateStore,
        holders: Holders,
        *,
        kept: timedelta,
        trail_of: Callable[[str], AuditTrail],
    ) -> None:
        self._connection = connection
        self.subjects = subjects
        self._trail_of = trail_of
        self._kept = kept
        self._store = store
        self._holders = holders
        self._ttl = kept + MARGIN

    async def chosen(self, filters: Filters, now: datetime) -> tuple[list[Doubt], list[str]]:
        """What is in doubt, and what is claimed although its time is up, by handler, type of event
        and order, and by when that state was entered; the last `limit` of those. Those that changed
        last come last. Beside them, what is to be said of entries that cannot be read.

        Raises `BusError`, and `ConfigurationError` for a handler that there is not.
        """
        handler = filters.handler
        prefix = "effect" if handler is None else f"effect.{key_token(handler)}"
        found, unreadable, entries = list[Doubt](), list[str](), 0
        async for key, entry in self._store.scan(prefix):
            entries += 1
            if entry.value is None:
                continue
            try:
                record = _read(key, entry.value)
            except ConfigurationError as error:
                unreadable.append(str(error))
                continue
            if _is_in_doubt(record, now) and _selects(filters, record):
                found.append(Doubt(key, record, entry.revision))
        if handler is not None and not entries:
            await self._check_handler(handler)
        return found[-filters.limit if filters.limit else 0 :], unreadable

    async def replay_of(self, record: EffectRecord) -> str | None:
        """The command that runs the event again, and as few others as may be; None where it is not
        stored any more. Raises `BusError`.
        """
        words = ["yizhan", "replay", "--to", f"handler:{record.handler}"]
        words += ["--type", record.event_type]
        if record.order_id is not None:
            words += ["--order", record.order_id]
        if record.event_seq is None:
            return shlex.join([*words, "--since", f"{self._kept.days or _LONG_DAYS}d"])
        client, stream = self._connection.client, self.subjects.stream
        at = await stored_time(client, stream, record.event_seq)
        if at is None:
            return None
        until = at + timedelta(microseconds=1)
        return shlex.join([*words, "--since", at.isoformat(), "--until", until.isoformat()])

    async def _check_handler(self, name: str) -> None:
        """One without effects has a durable, as far as we may look."""
        with contextlib.suppress(BusError):
            found = await durables(self._connection.client, self.subjects.stream)
            known = [durable.handler for durable in found]
            if name not in known:
                raise unknown_handler(name, known)

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
