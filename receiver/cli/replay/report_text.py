"""What became of a replay, as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from receiver.replay.report import HandlerReport

_MAX_LINES: Final = 20


def report_lines(reports: Sequence[HandlerReport]) -> Iterator[str]:
    """A few lines for each handler."""
    for report in reports:
        parts = [
            f"{report.replayed:,} replayed",
            f"{report.succeeded:,} succeeded",
            f"{report.failures:,} failed",
        ]
        if report.retrying:
            parts.append(f"{report.retrying:,} wait for another try")
        yield f"{report.handler}: {', '.join(parts)}"
        yield from _effects("happened", report.effects)
        yield from _effects("suppressed, since it had happened", report.suppressed)
        for one in report.failed[:_MAX_LINES]:
            yield f"  {_failure(one)}"
        if report.failures > _MAX_LINES:
            yield f"  and {report.failures - _MAX_LINES:,} more: --json lists them"


def _effects(what: str, counted: Counter[str]) -> Iterator[str]:
    for name, count in sorted(counted.items()):
        yield f"  effect {name}: {count:,} {what}"


def _failure(one: dict[str, Any]) -> str:
    of = f" of order {one['order_id']}" if one["order_id"] else ""
    why = one["reason"] or "a dead letter says why"
    return f"#{one['seq']}{of}: {why} (cause {one['cause']})"
