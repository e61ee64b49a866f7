"""What receivers have counted of each source since they first ran, as documents. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from receiver.observability.figures import Figures
from receiver.observability.moments import REFUSED
from receiver.operations.look.distribution import distribution

_BY_WORD: Final = {
    "answers": "yizhan_callbacks",
    "retransmissions": "yizhan_retransmissions",
    "first_tries": "yizhan_first_try",
    "retries": "yizhan_retries",
    "last_tries": "yizhan_last_tries",
}


def source_counts(figures: Figures) -> dict[str, dict[str, Any]]:
    """By source; the one without a name are requests to URLs of no source.

    `answers` are deliveries by how they were answered, `retransmissions` callbacks that came again
    by cause, `first_tries` and `last_tries` callbacks by how that try was answered, `retries` those
    that came again by which retry it was. `refusals` are of the last streak of each reason, with
    the `age_s` of the last one's signature where that was the reason. `ack_s` is the distribution
    of the time to a 200, `push_age_s` that of the time from a new callback's push, as its sender
    says it, to its arrival.
    """
    found = {name: _counts(figures, name) for name in sorted(_names(figures))}
    return {name: counts for name, counts in found.items() if name or counts["answers"]}


def _names(figures: Figures) -> set[str]:
    rows = set(_BY_WORD.values())
    counted = {key[1] for key, value in figures.counters.items() if key[0] in rows and value}
    return counted | {source for _, source, _ in figures.moments.known}


def _counts(figures: Figures, source: str) -> dict[str, Any]:
    return {
        **{word: _by_last_label(figures, name, source) for word, name in _BY_WORD.items()},
        "refusals": _refusals(figures, source),
        "ack_s": distribution(figures, "yizhan_ack_seconds", source),
        "push_age_s": distribution(figures, "yizhan_push_age_seconds", source),
    }


def _by_last_label(figures: Figures, name: str, source: str) -> Mapping[str, int]:
    return {
        key[2]: int(value)
        for key, value in figures.counters.items()
        if key[:2] == (name, source) and value
    }


def _refusals(figures: Figures, source: str) -> list[dict[str, Any]]:
    """The most frequent first."""
    moments = figures.moments.of(source, REFUSED).items()
    return [
        {
            "reason": reason,
            "times": one.times,
            "first_at": _time(one.first_s),
            "last_at": _time(one.last_s),
            "age_s": round(one.age_s, 1) if one.age_s else None,
        }
        for reason, one in sorted(moments, key=lambda item: -item[1].times)
    ]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
