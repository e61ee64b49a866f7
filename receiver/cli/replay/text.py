"""A replay as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from receiver.cli.look.output import local
from receiver.cli.replay.to_reparse import reparse_lines
from receiver.operations.audit_trail import words_of
from receiver.worker.replaying.record import HANDLER, REPARSE, ReplayRecord


def plan_lines(record: ReplayRecord) -> Iterator[str]:
    """What a plan selects, and where it goes."""
    yield f"{record.name}: {count_of(record)}"
    if record.count:
        first, last = _stamp(record.first_at), _stamp(record.last_at)
        yield f"  from      #{record.first_seq} stored {first}"
        yield f"  to        #{record.last_seq} stored {last}"
    words = " ".join(f"--{name} {text}" for name, text in words_of(record.chosen()).items())
    if words:
        yield f"  filters   {words}"
    for one in record.sample:
        of = f" of order {one.order_id}" if one.order_id else ""
        yield f"  such as   #{one.seq} {one.event_type}{of}"
    for target in record.targets:
        code = record.code.get(target.removeprefix(HANDLER), "")
        yield f"  goes to   {target}{code and f' (code {code})'}"
    for found in record.forecast:
        if record.targets == [REPARSE]:
            yield from reparse_lines(found)
        else:
            yield from _forecast_lines(found, forced=record.forced)


def _forecast_lines(found: dict[str, Any], *, forced: bool) -> Iterator[str]:
    yield f"  {found['handler']}: {found['would_run']:,} would run"
    if found["unreadable"]:
        yield f"    {found['unreadable']:,} of them cannot be read by this version"
    for one in found["effects"]:
        again = ", since effects are forced" if forced else ""
        yield (
            f"    effect {one['effect']}: at most {one['fires']:,} would happen{again}, "
            f"{one['suppressed']:,} suppressed, {one['in_doubt']:,} in doubt"
        )
    for name in found["not_foreseen"]:
        yield f"    effect {name}: has keys of the handler's own: not foreseen"
    if not (found["effects"] or found["not_foreseen"]):
        yield "    no effect of it is known yet"


def count_of(record: ReplayRecord) -> str:
    """How many events it selects."""
    return "1 event" if record.count == 1 else f"{record.count:,} events"


def list_lines(records: Sequence[tuple[ReplayRecord, str]]) -> Iterator[str]:
    """A line for each, with what it does now."""
    if not records:
        yield "there is no replay"
    for record, state in records:
        began = f"began {_stamp(record.begun_at)}" if record.begun_at else "not begun"
        yield (
            f"{record.name}  {state}  {count_of(record)}  to {', '.join(record.targets)}  "
            f"{began}  by {record.by}{go_on(record, state)}"
        )


def go_on(record: ReplayRecord, state: str) -> str:
    """How to go on with one that nothing runs."""
    return f": go on by `yizhan replay run {record.name}`" if state == "interrupted" else ""


def _stamp(moment: Any) -> str:
    return local(moment.isoformat() if moment else None)
