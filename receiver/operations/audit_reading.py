"""What operators did, as it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.bus.audit_record import AuditRecord, read_record
from receiver.bus.connection import Connection
from receiver.bus.durables import count_subjects
from receiver.bus.read.filters import Filters, nearest
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import VERBS


@dataclass(frozen=True, slots=True)
class DoneAct:
    """An act by its records; `ended` is None where no end is recorded."""

    begun: AuditRecord
    ended: AuditRecord | None = None

    @property
    def last(self) -> AuditRecord:
        """The record that says most."""
        return self.ended or self.begun

    def report(self) -> dict[str, Any]:
        """The act as JSON; what is not known is null."""
        last = self.last
        return {
            "act": last.act,
            "verb": last.verb,
            "by": last.by,
            "begun_at": _time(self.begun.time),
            "ended_at": _time(self.ended.time) if self.ended else None,
            "target": last.target,
            "reason": last.reason,
            "filters": dict(last.filters),
            "numbers": dict(last.numbers),
            "outcome": last.outcome,
            "error": last.error,
        }


async def acts(
    connection: Connection,
    subjects: Subjects,
    filters: Filters,
    *,
    verb: str | None = None,
    by: str | None = None,
) -> list[DoneAct]:
    """The acts that began within the times, oldest first, the last `limit` of them; by `verb`, by
    who did them (any part of it), and by the handler they were done to.

    Raises `BusError`, and `ConfigurationError` for a verb that no act has.
    """
    if verb is not None:
        await _check_verb(connection, subjects, verb)
    chosen = [subjects.audit(verb) if verb else subjects.all_audit]
    selection = StreamSelection(subjects.audit_stream, chosen, filters.since)  # an end comes later
    found: dict[str, DoneAct] = {}
    async for stored in Reader(connection).read(selection):
        record = read_record(stored.body)
        if record is None:
            continue
        if record.phase == "ended":
            if record.act in found:
                found[record.act] = DoneAct(found[record.act].begun, record)
        elif _selects(record, stored.stored_at, filters, by):
            found[record.act] = DoneAct(record)
    return list(found.values())[-filters.limit if filters.limit else 0 :]


def _selects(record: AuditRecord, stored: datetime, filters: Filters, by: str | None) -> bool:
    return (
        (filters.until is None or stored < filters.until)
        and (by is None or by in record.by)
        and filters.handler in {None, record.target, record.filters.get("handler")}
    )


async def _check_verb(connection: Connection, subjects: Subjects, verb: str) -> None:
    counting = count_subjects(connection.client, subjects.audit_stream, subjects.all_audit)
    counted = await connection.allowed(connection.client, counting)
    known = (*VERBS, *(subject.removeprefix(subjects.audit("")) for subject in counted))
    if verb not in known:
        raise ConfigurationError(f"--verb {verb}: no such act: {nearest(verb, known)}")


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
