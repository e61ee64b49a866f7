"""Rows of the table that only the pages of single processes have, former ones among them."""

from __future__ import annotations

from typing import Final

from receiver.observability.metric_row import CALL_BOUNDS_S, NAMES, MetricRow

OF_ONE_PROCESS: Final = (
    MetricRow(
        "yizhan_log_ready",
        "gauge",
        "Whether NATS stores messages now.",
        "process",
        pages=("receiver",),
    ),
    MetricRow(
        "yizhan_batches_in_memory",
        "gauge",
        "Whether the server stages atomic batches in memory (0: on disk, which is slower).",
        "process",
        pages=("receiver",),
    ),
    MetricRow(
        "yizhan_backlog_readable",
        "gauge",
        "Whether NATS says what waits for the handlers.",
        "process",
        pages=("handlers",),
    ),
    MetricRow(
        "yizhan_deliveries",
        "counter",
        "Deliveries since the start of the process, by outcome or reason of refusal.",
        "process",
        {"outcome": NAMES},
        pages=("receiver",),
        former="yizhan_callbacks_total",
    ),
    MetricRow(
        "yizhan_api_try_seconds",
        "histogram",
        "How long one try took, without the wait for its turn, by row.",
        "process",
        {"row": NAMES},
        CALL_BOUNDS_S,
        pages=("api",),
        former="yizhan_api_seconds",
    ),
)
