"""Snoozing a cause of dead letters, and waking it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.look.snoozes import Snooze

_GONE: Final = timedelta(seconds=1)
"""An entry is written for so long where it is to be there no more."""


@dataclass(frozen=True, slots=True)
class Snoozing:
    """Keeps them in the bucket of what handlers keep, where they expire by themselves. Everything
    is recorded on a trail, and raises `BusError`.
    """

    connection: Connection
    subjects: Subjects

    async def snooze(self, found: Sequence[Snooze], trail: AuditTrail) -> None:
        """Leave these causes out; one that is snoozed already, as is said now."""
        for one in found:
            words = {**_words(one), "until": one.until.isoformat()}
            act = trail.act("dead-snooze", target=one.handler, reason=one.reason, filters=words)
            async with act:
                await self._put(one, {**_words(one), **one.report()}, one.until - one.at)

    async def wake(self, found: Sequence[Snooze], trail: AuditTrail) -> None:
        """Have them count again."""
        for one in found:
            async with trail.act("dead-wake", target=one.handler, filters=_words(one)):
                await self._put(one, {}, _GONE)

    async def _put(self, one: Snooze, value: Mapping[str, Any], lasting: timedelta) -> None:
        store = StateStore(self.connection, self.subjects)
        try:
            await store.ensure()
            before = await store.get(one.key)
            await store.put(one.key, json.dumps(value).encode(), before.revision, ttl=lasting)
        finally:
            await store.stop()


def _words(one: Snooze) -> dict[str, str]:
    return {"handler": one.handler, "cause": one.cause}
