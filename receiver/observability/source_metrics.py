"""Rows of the table that are by source: what came, how it was answered, how long nothing came."""

from __future__ import annotations

from typing import Final

from receiver.observability.metric_row import (
    ACK_BOUNDS_S,
    ANSWERS,
    CAUSES,
    NAMES,
    PUSH_AGE_BOUNDS_S,
    RETRIES,
    TRIES,
    MetricRow,
    Page,
)

_AND_RECEIVER: Final[tuple[Page, ...]] = ("collected", "receiver")
_SOURCE: Final = {"source": NAMES}

OF_SOURCES: Final = (
    MetricRow(
        "yizhan_callbacks",
        "counter",
        "Deliveries by how they were answered; source is empty where there is no such source.",
        "process",
        {"source": NAMES, "outcome": ANSWERS},
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_ack_seconds",
        "histogram",
        "From a callback's first byte to its 200.",
        "process",
        _SOURCE,
        ACK_BOUNDS_S,
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_push_age_seconds",
        "histogram",
        "From when a sender says that it pushed a new callback to its arrival, by the clocks of "
        "both.",
        "process",
        _SOURCE,
        PUSH_AGE_BOUNDS_S,
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_retransmissions",
        "counter",
        "Callbacks that came again: provoked by our answer (late, no 200), or by the platform.",
        "process",
        {"source": NAMES, "cause": CAUSES},
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_first_try",
        "counter",
        "Callbacks at their first try: 200 within 800 ms (good), 200 later (late), or no 200 "
        "(failed).",
        "process",
        {"source": NAMES, "outcome": TRIES},
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_retries",
        "counter",
        "Callbacks that came again, by which retry of the platform it is by the time since.",
        "process",
        {"source": NAMES, "nth": RETRIES},
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_last_tries",
        "counter",
        "Callbacks at the platform's last retry or the one before it, by how it was answered.",
        "process",
        {"source": NAMES, "outcome": TRIES},
        pages=_AND_RECEIVER,
    ),
    MetricRow(
        "yizhan_callbacks_stored",
        "gauge",
        "Raw callbacks that the log holds, those in quarantine among them.",
        "log",
        _SOURCE,
    ),
    MetricRow(
        "yizhan_quarantine_stored",
        "gauge",
        "Callbacks in quarantine: they could not be read.",
        "log",
        _SOURCE,
    ),
    MetricRow(
        "yizhan_source_last_callback_timestamp_seconds",
        "gauge",
        "When the last callback was stored, in seconds since 1970.",
        "log",
        _SOURCE,
    ),
    MetricRow(
        "yizhan_source_silence_seconds",
        "gauge",
        "For how long no callback was stored.",
        "log",
        _SOURCE,
    ),
    MetricRow(
        "yizhan_source_silence_improbability",
        "gauge",
        "How improbable it is that nothing comes for so long at these hours of the week: 4 is 1 in "
        "10,000, 5 is 1 in 100,000; missing where too little is known.",
        "log",
        _SOURCE,
    ),
    MetricRow(
        "yizhan_source_never_sent",
        "gauge",
        "Whether a source of the settings is one of which nothing was ever stored.",
        "log",
        _SOURCE,
    ),
)
