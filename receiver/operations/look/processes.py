"""The processes that report what they count: which they are, and whether they still do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from receiver.bus.connection import Connection
from receiver.bus.metric_totals import Life, read_counted
from receiver.bus.metrics_stream import MetricsStream
from receiver.bus.subjects import Subjects
from receiver.observability.figures import Figures
from receiver.operations.look.documents import moment

State = Literal["runs", "silent", "ended"]
"""Whether it reported within the last seconds, no longer does, or said that it ends."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a process does with the platform's API: its calls since its start and how many of them
    failed, those that wait for their turn, and whether it leaves the platform alone.
    """

    made: int
    failed: int
    waiting: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class Process:
    """A process by its last report; a version from before they were reported is None. `calls` is
    None where it makes none.
    """

    kind: str
    host: str
    pid: int | None
    state: State
    version: str | None
    python: str | None
    started_at: datetime | None
    reported_at: datetime
    calls: Calls | None


async def processes(connection: Connection, subjects: Subjects, now: datetime) -> list[Process]:
    """Those that run, then those that reported within the last hour or so. Raises `BusError`."""
    counted = await read_counted(MetricsStream(connection.client, subjects), subjects)
    found = [process_of(life, now) for life in counted.lives]
    order = {"runs": 0, "silent": 1, "ended": 2}
    return sorted(found, key=lambda one: (order[one.state], one.kind, one.host, one.pid or 0))


def process_of(life: Life, now: datetime) -> Process:
    """The process of a report."""
    said: Mapping[str, Any] = life.kept.document
    pid = said.get("pid")
    state: State = "ended" if life.ended else "runs" if life.is_fresh(now) else "silent"
    return Process(
        kind=life.kind,
        host=str(said.get("host") or ""),
        pid=pid if isinstance(pid, int) else None,
        state=state,
        version=_text(said.get("version")),
        python=_text(said.get("python")),
        started_at=moment(_text(said.get("started_at"))),
        reported_at=life.kept.time,
        calls=_calls(life.figures),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _calls(figures: Figures) -> Calls | None:
    waiting = figures.gauges.get(("yizhan_api_waiting",))
    if waiting is None:
        return None
    calls = {key: value for key, value in figures.counters.items() if key[0] == "yizhan_api_calls"}
    failed = sum(value for key, value in calls.items() if key[-1] != "ok")
    is_open = bool(figures.gauges.get(("yizhan_api_breaker_open",)))
    return Calls(int(sum(calls.values())), int(failed), int(waiting), is_open)
