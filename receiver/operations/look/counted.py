"""What the processes have counted since they first ran, as a document: how the platform sees us,
and how the platform's API answers. Performs no I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from receiver.observability.figures import Figures
from receiver.operations.look.distribution import distribution
from receiver.operations.look.source_counts import source_counts

_SECOND: Final = 1.0
"""Within it the platform wants its 200."""


def counted_document(figures: Figures) -> dict[str, Any]:
    """Of the figures of all processes.

    `answers` are deliveries by how they were answered, `ack` of those that got their 200 how many,
    in how many seconds 99 % of them (an upper bound), and how many took more than a second.
    `retransmissions` are callbacks that came again, by cause; `first_tries` callbacks by how their
    first try was answered, `last_tries` those at the platform's last try or the one before it.
    `api` are calls by their outcome, `sources` what concerns one source. The certificate of
    the settings expires at `certificate_expires_at`, null without one.
    """
    return {
        "answers": dict(_by_label(figures, "yizhan_callbacks", 1)),
        "ack": _ack(figures),
        "retransmissions": dict(_by_label(figures, "yizhan_retransmissions", 1)),
        "first_tries": dict(_by_label(figures, "yizhan_first_try", 1)),
        "last_tries": dict(_by_label(figures, "yizhan_last_tries", 1)),
        "api": {
            "outcomes": dict(_by_label(figures, "yizhan_api_calls", 1)),
            "rows": _rows(figures),
            "repeats": int(sum(_by_label(figures, "yizhan_api_repeats", 0).values())),
            "waiting": int(sum(_gauges(figures, "yizhan_api_waiting"))),
            "breakers_open": int(sum(_gauges(figures, "yizhan_api_breaker_open"))),
        },
        "sources": source_counts(figures),
        "certificate_expires_at": _expiry(figures),
    }


def _expiry(figures: Figures) -> str | None:
    expires_s = figures.gauges.get(("yizhan_certificate_expiry_timestamp_seconds",))
    return None if expires_s is None else datetime.fromtimestamp(expires_s, UTC).isoformat()


def _by_label(figures: Figures, name: str, label: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for (row, *labels), value in figures.counters.items():
        if row == name and value:
            found[labels[label]] += int(value)
    return found


def _gauges(figures: Figures, name: str) -> Sequence[float]:
    return [value for key, value in figures.gauges.items() if key[0] == name]


def _rows(figures: Figures) -> list[dict[str, Any]]:
    """Each row of the API that was called, by how many of its calls failed: its outcomes, tries
    beyond the first, and how long a try took.
    """
    calls: dict[str, Counter[str]] = {}
    for (name, *labels), value in figures.counters.items():
        if name == "yizhan_api_calls" and value:
            calls.setdefault(labels[0], Counter())[labels[1]] += int(value)
    repeats = _by_label(figures, "yizhan_api_repeats", 0)
    found = [
        {
            "row": row,
            "calls": outcomes.total(),
            "failed": outcomes.total() - outcomes["ok"],
            "outcomes": dict(outcomes),
            "repeats": repeats[row],
            "seconds": distribution(figures, "yizhan_api_seconds", row),
        }
        for row, outcomes in calls.items()
    ]
    return sorted(found, key=lambda one: (-one["failed"], -one["calls"], one["row"]))


def _ack(figures: Figures) -> Mapping[str, Any]:
    found = distribution(figures, "yizhan_ack_seconds")
    late = [one["count"] for one in found["buckets"] if (one["upto"] or inf) > _SECOND]
    return {"count": found["count"], "p99_s": found["p99"], "beyond_second": sum(late)}
