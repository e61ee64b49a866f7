"""What became of a replay into handlers, by the records of its runs.

They are written without being waited for: those of a server's last seconds may be missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.subjects import decode_token
from receiver.worker.replaying.record import ReplayRecord
from receiver.worker.replaying.store import Replays

MAX_FAILED: Final = 1_000
_GOOD: Final = frozenset({"done", "dropped"})
_AGAIN: Final = frozenset({"retried", "postponed", "released"})


@dataclass(slots=True)
class HandlerReport:
    """Of one handler: events by how their last run ended; `retrying` wait for another try, or their
    run was cut off. `effects` happened, `suppressed` had happened before, by name. `failed` lists
    the first thousand; `failures` is how many there are.
    """

    handler: str
    replayed: int = 0
    succeeded: int = 0
    retrying: int = 0
    failures: int = 0
    runs: int = 0
    effects: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "handler": self.handler,
            "replayed": self.replayed,
            "succeeded": self.succeeded,
            "failed": self.failures,
            "retrying": self.retrying,
            "runs": self.runs,
            "effects": dict(self.effects),
            "suppressed": dict(self.suppressed),
            "failures": self.failed,
        }


async def report_of(
    record: ReplayRecord, replays: Replays, scanned: Scanned = lambda _: None
) -> list[HandlerReport]:
    """The report of each handler that a replay went to; raises `BusError`."""
    return [await _of_handler(record, name, replays, scanned) for name in record.handlers]


async def _of_handler(
    record: ReplayRecord, handler: str, replays: Replays, scanned: Scanned
) -> HandlerReport:
    report, reader = HandlerReport(handler), Reader(replays.connection)
    if record.begun_at is None:
        return report
    of = selection.runs(Filters(handler=handler, since=record.begun_at), replays.subjects)
    last: dict[int, tuple[str, str | None]] = {}
    failed: dict[int, dict[str, Any]] = {}
    async for stored in reader.read(of, scanned=scanned):
        found = _read(stored, record.label)
        if found is None:
            continue
        seq, outcome = int(found["stream_seq"]), str(found["outcome"])
        report.runs += 1
        report.effects.update(found.get("effects") or ())
        report.suppressed.update(found.get("suppressed") or ())
        last[seq] = outcome, found["error_digest"]
        failed.pop(seq, None)
        if outcome == "dead_lettered" and len(failed) < MAX_FAILED:
            failed[seq] = _failure(stored, found)
    ended = Counter(outcome for outcome, _ in last.values())
    report.replayed = len(last)
    report.succeeded = sum(ended[word] for word in _GOOD)
    report.retrying = sum(ended[word] for word in _AGAIN)
    report.failures = ended["dead_lettered"]
    report.failed = await _explained([failed[seq] for seq in sorted(failed)], handler, replays)
    return report


def _read(stored: StoredMessage, label: str) -> Mapping[str, Any] | None:
    """The record of a run of this replay; None for others."""
    try:
        found: Mapping[str, Any] = json.loads(stored.body)
        return found if found.get("replay") == label else None
    except (ValueError, AttributeError):
        return None


def _failure(stored: StoredMessage, found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "seq": found["stream_seq"],
        "event_id": found["event_id"],
        "order_id": decode_token(stored.nats_subject.rpartition(".")[2]),
        "cause": found["error_digest"],
        "place": found["place"],
        "attempts": found["attempt"],
    }


async def _explained(
    failed: list[dict[str, Any]], handler: str, replays: Replays
) -> list[dict[str, Any]]:
    """With the reason that the newest letter of each cause gives."""
    causes = sorted({one["cause"] for one in failed if one["cause"]})
    subjects = [replays.subjects.dead(handler, cause) for cause in causes]
    reader, stream = Reader(replays.connection), replays.subjects.dead_stream
    letters = await reader.last(stream, subjects) if subjects else ()
    reasons = {
        letter.nats_subject.rpartition(".")[2]: decode_header(
            letter.headers.get("yizhan-reason", "")
        )
        for letter in letters
    }
    return [{**one, "reason": reasons.get(one["cause"])} for one in failed]
