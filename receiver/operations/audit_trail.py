"""What operators did: each act is recorded before it begins, and again with its numbers at its end.

An act whose record cannot be stored is not done. One without an end was interrupted together with
its process, or its end could not be stored.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from receiver.bus.audit_record import AuditRecord, Outcome
from receiver.bus.audit_stream import store_record
from receiver.bus.connection import Connection
from receiver.bus.read.filters import WORDS, Filters
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, YizhanError
from receiver.observability.logs import get_logger

VERBS: Final = (
    "handlers-pause",
    "handlers-resume",
    "handlers-rewind",
    "handlers-forget",
    "replay",
    "replay-plan",
    "replay-cancel",
    "dead-retry",
    "dead-drop",
    "dead-snooze",
    "dead-wake",
    "quarantine-reparse",
    "quarantine-drop",
    "doubt-settle",
    "retention-apply",
    "state-rebuild",
    "purge",
    "export",
    "import",
    "reveal",
    "test-callback",
)
"""The kinds of acts; more may be added."""


@dataclass(slots=True)
class Act:
    """An act under way: whoever does it counts in `numbers` what becomes of what it is done to, and
    corrects the `outcome` where not all of it was done.
    """

    numbers: dict[str, int]
    outcome: Outcome = "done"
    error: str | None = None


class AuditTrail:
    """Records what one operator, `by`, does."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        by: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self.by = by
        self._clock = clock

    @contextlib.asynccontextmanager
    async def act(
        self,
        verb: str,
        *,
        target: str | None = None,
        reason: str | None = None,
        filters: Mapping[str, str] | None = None,
        numbers: Mapping[str, int] | None = None,
    ) -> AsyncIterator[Act]:
        """Record that an act begins, have it done in the block, and record how that ended.

        Raises `BusError` or `ConfigurationError` before the block where the record is not stored.
        """
        begun = AuditRecord(
            act=secrets.token_hex(8),
            phase="begun",
            verb=verb,
            by=self.by,
            time=self._clock(),
            target=target,
            reason=reason,
            filters=filters or {},
            numbers=numbers or {},
        )
        try:
            await self._store(begun)
        except BusError as error:
            raise BusError(f"nothing was done, since it could not be recorded: {error}") from error
        act = Act(dict(begun.numbers))
        try:
            yield act
        except BaseException as error:
            act.outcome = "failed"
            act.error = str(error) if isinstance(error, YizhanError) else type(error).__name__
            raise
        finally:
            await self._end(begun, act)

    async def _end(self, begun: AuditRecord, act: Act) -> None:
        ended = replace(
            begun,
            phase="ended",
            time=self._clock(),
            numbers=act.numbers,
            outcome=act.outcome,
            error=act.error,
        )
        try:
            await self._store(ended)
        except YizhanError as error:
            log = get_logger("yizhan.operations")
            log.warning("end_of_act_not_recorded", verb=begun.verb, error=str(error))

    async def _store(self, record: AuditRecord) -> None:
        client = self._connection.client
        storing = store_record(client, self._subjects, record.verb, record.encode())
        await self._connection.allowed(client, storing)


def words_of(filters: Filters) -> dict[str, str]:
    """Filters as a record has them: by the names of their options, times with their offset."""
    return {WORDS[name]: _word(getattr(filters, name)) for name in filters.given}


def _word(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
