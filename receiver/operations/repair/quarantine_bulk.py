"""What is recorded of an act on callbacks, and what is said before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from receiver.bus.read.filters import Filters
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.repair.bulk_act import BulkAct
from receiver.operations.repair.quarantine import RawRef
from receiver.operations.repair.reparse import Findings


def rereading(trail: AuditTrail, filters: Filters, refs: Sequence[RawRef]) -> BulkAct:
    """Reading callbacks again."""
    return _act(trail, filters, refs, "quarantine-reparse", {"read", "unchanged"}, None)


def dropping(trail: AuditTrail, filters: Filters, refs: Sequence[RawRef], reason: str) -> BulkAct:
    """Deleting callbacks for good."""
    return _act(trail, filters, refs, "quarantine-drop", {"dropped"}, reason)


def plan_text(plan: Findings, selected: int) -> Iterator[str]:
    """What would come of reading callbacks again."""
    yield f"{callbacks_are(selected)} read again: {plan.counts['read']:,} with something to store"
    for event_type, count in plan.new.most_common():
        yield f"  {count:,} {event_type} new"
    if plan.known:
        yield f"  {plan.known:,} events report facts that are stored already"
    for word in ("unreadable", "unverified", "without source", "taken"):
        if count := plan.counts[word]:
            yield f"  {count:,} {word}"
    yield from (f"    {reason}" for reason in plan.reasons)


def callbacks_are(count: int) -> str:
    """So many callbacks, as the beginning of a sentence."""
    return "1 callback is" if count == 1 else f"{count:,} callbacks are"


def _act(
    trail: AuditTrail,
    filters: Filters,
    refs: Sequence[RawRef],
    verb: str,
    done: Collection[str],
    reason: str | None,
) -> BulkAct:
    words = words_of(filters)
    if not words and len(refs) == 1:
        words["callback"] = f"#{refs[0].seq}"
    return BulkAct(trail=trail, verb=verb, done=done, words=words, reason=reason)
