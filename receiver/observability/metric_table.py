"""Every metric, as data: what is exported is made from this table, and so are its pages."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from receiver.observability.metric_row import (
    CALL_BOUNDS_S,
    CALL_OUTCOMES,
    EFFECT_STATES,
    NAMES,
    PARTS,
    PROCESSES,
    RUN_BOUNDS_S,
    RUN_OUTCOMES,
    MetricRow,
    Page,
)
from receiver.observability.process_metrics import OF_ONE_PROCESS
from receiver.observability.source_metrics import OF_SOURCES

_AND_RECEIVER: Final[tuple[Page, ...]] = ("collected", "receiver")
_AND_HANDLERS: Final[tuple[Page, ...]] = ("collected", "handlers")
_AND_API: Final[tuple[Page, ...]] = ("collected", "api")
_HANDLER: Final = {"handler": NAMES}
_ROW: Final = {"row": NAMES}
_STREAM: Final = {"stream": NAMES}

_SPOOL: Final = (
    MetricRow(
        "yizhan_spool_callbacks",
        "gauge",
        "Callbacks that wait in the spool for NATS.",
        "process",
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_spool_oldest_age_seconds",
        "gauge",
        "How long the oldest of them has waited.",
        "process",
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_spool_bytes",
        "gauge",
        "What the spool takes on disk.",
        "process",
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_spool_readable",
        "gauge",
        "Whether the spool's disk is well.",
        "process",
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_spool_unreadable",
        "gauge",
        "How many spools cannot be used, which the sum of those that can does not show.",
        "process",
    ),
)
_HANDLERS: Final = (
    MetricRow(
        "yizhan_handler_runs",
        "counter",
        "Deliveries to a handler, by how they ended.",
        "process",
        {"handler": NAMES, "outcome": RUN_OUTCOMES},
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_seconds",
        "histogram",
        "How long its runs took.",
        "process",
        _HANDLER,
        RUN_BOUNDS_S,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_owner_changes",
        "counter",
        "How often a process took the handler.",
        "process",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_owned",
        "gauge",
        "How many processes run the handler: one, or none.",
        "process",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_running",
        "gauge",
        "Runs under way.",
        "process",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_waiting",
        "gauge",
        "Events that were delivered to a process and are not begun.",
        "process",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_pending",
        "gauge",
        "Events that no process was given yet.",
        "log",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_unfinished",
        "gauge",
        "Events that a process was given and that are not done.",
        "log",
        _HANDLER,
    ),
    MetricRow(
        "yizhan_handler_behind",
        "gauge",
        "Events and what was due that it has handled, or that were stored before it began.",
        "log",
        _HANDLER,
    ),
    MetricRow(
        "yizhan_handler_scheduled",
        "gauge",
        "Retries that wait for their time.",
        "log",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_oldest_unprocessed_seconds",
        "gauge",
        "Since when its oldest event that is not done is stored.",
        "log",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_handler_paused",
        "gauge",
        "Whether an operator has paused it.",
        "log",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_dead_letters",
        "gauge",
        "Events that it has given up on.",
        "log",
        _HANDLER,
        pages=_AND_HANDLERS,
    ),
    MetricRow(
        "yizhan_effects",
        "gauge",
        "Effects that happen once, by their state.",
        "log",
        {"handler": NAMES, "state": EFFECT_STATES},
    ),
)
_API: Final = (
    MetricRow(
        "yizhan_api_calls",
        "counter",
        "Calls of the platform's API, by row and outcome.",
        "process",
        {"row": NAMES, "outcome": CALL_OUTCOMES},
        pages=_AND_API,
    ),
    MetricRow(
        "yizhan_api_repeats",
        "counter",
        "Tries of a call beyond its first, by row.",
        "process",
        _ROW,
        pages=_AND_API,
    ),
    MetricRow(
        "yizhan_api_seconds",
        "histogram",
        "How long one try took, without the wait for its turn, by row.",
        "process",
        _ROW,
        CALL_BOUNDS_S,
    ),
    MetricRow("yizhan_api_waiting", "gauge", "Calls that wait for their turn.", "process"),
    MetricRow(
        "yizhan_api_breaker_open",
        "gauge",
        "How many processes leave the platform alone, since it was not available.",
        "process",
    ),
)
_STREAMS: Final = (
    MetricRow("yizhan_stream_messages", "gauge", "Messages that it holds.", "log", _STREAM),
    MetricRow("yizhan_stream_bytes", "gauge", "What it takes on disk.", "log", _STREAM),
    MetricRow(
        "yizhan_stream_stored",
        "counter",
        "Messages that were ever stored in it: its last sequence.",
        "log",
        _STREAM,
    ),
    MetricRow(
        "yizhan_stream_full_seconds",
        "gauge",
        "In how long it, or its disk, is full at the rate of the last day; missing where never.",
        "log",
        _STREAM,
    ),
    MetricRow(
        "yizhan_disk_full_seconds",
        "gauge",
        "In how long all streams fill the disk of an embedded server; missing where never.",
        "log",
    ),
)
_PROCESSES: Final = (
    MetricRow(
        "yizhan_processes",
        "gauge",
        "Processes that reported within the last 15 seconds.",
        "process",
        {"kind": PROCESSES},
    ),
    MetricRow(
        "yizhan_collected",
        "gauge",
        "Whether a part of this page could be collected; its metrics are missing otherwise.",
        "collector",
        {"part": PARTS},
    ),
    MetricRow(
        "yizhan_certificate_expiry_timestamp_seconds",
        "gauge",
        "When the certificate of the settings expires; missing where no TLS is served.",
        "collector",
    ),
    MetricRow(
        "yizhan_build_info",
        "gauge",
        "1; the version that collects.",
        "collector",
        {"version": NAMES, "python": NAMES},
    ),
)
ROWS: Final = (*OF_SOURCES, *_SPOOL, *_HANDLERS, *_API, *_STREAMS, *_PROCESSES, *OF_ONE_PROCESS)
BY_NAME: Final[Mapping[str, MetricRow]] = MappingProxyType({row.name: row for row in ROWS})
