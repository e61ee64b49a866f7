"""What a process that runs handlers counts, as figures to report."""

from __future__ import annotations

from receiver.observability.call_counts import CallCounts
from receiver.observability.figures import Figures
from receiver.worker.status import WorkerStatus


def worker_figures(status: WorkerStatus, calls: CallCounts | None = None) -> Figures:
    """Of its handlers, and of its calls of the API, where it makes any."""
    figures = Figures()
    for name, one in status.handlers.items():
        for outcome, count in one.outcomes.items():
            figures.count("yizhan_handler_runs", name, outcome, by=count)
        figures.histogram("yizhan_handler_seconds", name, buckets=one.buckets, total=one.seconds)
        figures.count("yizhan_handler_owner_changes", name, by=one.owner_changes)
        figures.gauge("yizhan_handler_owned", name, value=int(one.owns))
        figures.gauge("yizhan_handler_running", name, value=one.running)
        figures.gauge("yizhan_handler_waiting", name, value=one.waiting)
    if calls is not None:
        _add_calls(figures, calls)
    return figures


def _add_calls(figures: Figures, calls: CallCounts) -> None:
    for (row, outcome), count in calls.calls.items():
        figures.count("yizhan_api_calls", row, outcome, by=count)
    for row, count in calls.repeats.items():
        figures.count("yizhan_api_repeats", row, by=count)
    for row, kept in calls.durations.items():
        figures.histogram("yizhan_api_seconds", row, buckets=kept.buckets, total=kept.sum_s)
    waiting, is_open = calls.load()
    figures.gauge("yizhan_api_waiting", value=waiting)
    figures.gauge("yizhan_api_breaker_open", value=int(is_open))
