"""What is recorded of an act on dead letters, and what is said before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from receiver.bus.durables import Durable
from receiver.bus.read.filters import Filters
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.repair.bulk_act import BulkAct
from receiver.operations.repair.letters import LetterRef


def retrying(trail: AuditTrail, filters: Filters, refs: Sequence[LetterRef]) -> BulkAct:
    """Giving letters back to their handlers."""
    return _act(trail, filters, refs, "dead-retry", "retried", None)


def dropping(
    trail: AuditTrail, filters: Filters, refs: Sequence[LetterRef], reason: str
) -> BulkAct:
    """Deleting letters for good."""
    return _act(trail, filters, refs, "dead-drop", "dropped", reason)


def _act(
    trail: AuditTrail,
    filters: Filters,
    refs: Sequence[LetterRef],
    verb: str,
    done: str,
    reason: str | None,
) -> BulkAct:
    handlers, words = {ref.handler for ref in refs}, words_of(filters)
    if not words and len(refs) == 1:
        words["letter"] = f"#{refs[0].seq}"
    return BulkAct(
        trail=trail,
        verb=verb,
        done={done},
        words=words,
        target=handlers.pop() if len(handlers) == 1 else None,
        reason=reason,
    )


def gone_text(handler: str, count: int, known: Iterable[str]) -> str:
    """That no handler takes what would be given back, and what can be done."""
    others = ", ".join(known) or "none"
    return (
        f"{handler}: no handler of this name takes its {count:,} letters: start a worker that "
        f'loads it, or one whose handler has was="{handler}"; or drop them: '
        f"yizhan dead drop --handler {handler} --reason TEXT (handlers: {others})"
    )


def notes_on(handlers: Mapping[str, Durable | None]) -> Iterator[str]:
    """Why what was given back does not run at once."""
    for name, durable in handlers.items():
        if durable is None:
            continue
        if durable.pause is not None:
            yield f"{name} is paused: yizhan handlers resume {durable.handler}"
        elif not durable.requests:
            yield f"no worker asks for events of {name} now: they run once one does"
