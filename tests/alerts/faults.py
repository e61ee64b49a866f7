"""Faults as they show in the metrics, minute by minute, and the alerts that are to fire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from receiver.observability.alerts.evaluation import Case
from receiver.observability.figures import Figures
from receiver.observability.metric_table import ROWS

START = datetime(1970, 1, 1, tzinfo=UTC)
"""Where promtool's time begins."""
MINUTES = range(90)
BEGIN = 15
"""When a fault begins."""
Values = list[float | None]
"""One for each minute; None where the page does not have it."""


def flat(value: float) -> Values:
    return [value for _ in MINUTES]


def later(before: float, after: float | None, until: int = MINUTES.stop) -> Values:
    """`after` while the fault lasts."""
    return [after if BEGIN <= minute < until else before for minute in MINUTES]


def rising(rate: float, begin: float = 0, *, since: int = 0, until: int = MINUTES.stop) -> Values:
    """What rises by `rate` a minute, from one minute to another."""
    return [begin + rate * (min(max(minute, since), until) - since) for minute in MINUTES]


def missing(values: Values, until: int = MINUTES.stop) -> Values:
    """The same, and not on the page while the fault lasts."""
    return [
        None if BEGIN <= minute < until else value
        for minute, value in zip(MINUTES, values, strict=True)
    ]


COLLECTED = [
    f'yizhan_collected{{part="{part}"}}'
    for part in ("processes", "sources", "streams", "handlers", "effects")
]
DONE, RETRIED, DEAD = (
    f'yizhan_handler_runs_total{{handler="ship",outcome="{outcome}"}}'
    for outcome in ("done", "retried", "dead_lettered")
)
STORED, UNAUTHORIZED, QUARANTINED = (
    f'yizhan_callbacks_total{{source="shop",outcome="{outcome}"}}'
    for outcome in ("stored", "unauthorized", "quarantined")
)
PROVOKED, AGAIN = (
    f'yizhan_retransmissions_total{{source="shop",cause="{cause}"}}'
    for cause in ("provoked", "platform")
)
RECEIVERS = 'yizhan_processes{kind="receiver"}'
OWNED, PAUSED, OLDEST = (
    f'yizhan_handler_{name}{{handler="ship"}}'
    for name in ("owned", "paused", "oldest_unprocessed_seconds")
)
IN_DOUBT = 'yizhan_effects{handler="ship",state="in_doubt"}'
STREAM_FULL = 'yizhan_stream_full_seconds{stream="YIZHAN"}'
GOOD, LATE, LAST = (
    f'yizhan_{name}_total{{source="shop",outcome="{outcome}"}}'
    for name, outcome in (("first_try", "good"), ("first_try", "late"), ("last_tries", "late"))
)
SILENCE = 'yizhan_source_silence_improbability{source="shop"}'
CERTIFICATE = "yizhan_certificate_expiry_timestamp_seconds"
OF_COLLECTOR: Mapping[str, Values] = {
    "yizhan_build_info": flat(1),
    CERTIFICATE: flat(30 * 86_400),
    **{name: flat(1) for name in COLLECTED},
}
OF_NATS: Mapping[str, Values] = {
    RECEIVERS: flat(2),
    STORED: rising(2, 100),
    UNAUTHORIZED: flat(7),
    QUARANTINED: flat(1),
    PROVOKED: flat(0),
    AGAIN: later(0, 1),
    GOOD: rising(2, 100),
    LATE: flat(1),
    LAST: flat(2),
    SILENCE: flat(0.5),
    "yizhan_spool_oldest_age_seconds": flat(0),
    "yizhan_spool_unreadable": flat(0),
    OWNED: flat(1),
    PAUSED: flat(0),
    OLDEST: flat(2),
    DONE: rising(2, 100),
    RETRIED: rising(0.125),
    DEAD: flat(3),
    IN_DOUBT: flat(0),
    "yizhan_api_breaker_open": flat(0),
    STREAM_FULL: flat(2_000_000),
    "yizhan_disk_full_seconds": flat(2_000_000),
}
HEALTHY: Mapping[str, Values] = {**OF_COLLECTOR, **OF_NATS}
STOPS: Mapping[str, Values] = {
    DONE: rising(2, 100, until=BEGIN),
    RETRIED: rising(0.125, until=BEGIN),
    OLDEST: rising(60, 2, since=BEGIN),
}
BREAKS: Mapping[str, Values] = {DONE: rising(2, 100, until=BEGIN), RETRIED: rising(1, since=BEGIN)}


@dataclass(frozen=True)
class Fault:
    """What shows of it beside what is healthy, and which alerts fire at which steps, which are
    minutes unless `step` is more of them.
    """

    name: str
    shows: Mapping[str, Values]
    fires: Mapping[int, set[Case]]
    step: int = 1

    def series(self) -> dict[str, Values]:
        return {**HEALTHY, **self.shows}


NONE: set[Case] = set()


def case(alert: str, *labels: str) -> set[Case]:
    return {Case(f"Yizhan{alert}", labels)}


FAULTS = (
    Fault("nothing is wrong", {}, dict.fromkeys((1, 30, 80), NONE)),
    Fault(
        "no metrics come",
        {name: missing(values) for name, values in HEALTHY.items()},
        {18: NONE, 21: case("MetricsAbsent")},
    ),
    Fault(
        "NATS is frozen",
        {
            **{name: missing(values, until=45) for name, values in OF_NATS.items()},
            **{name: later(1, 0, until=45) for name in COLLECTED},
        },
        {15: NONE, 17: case("NatsAway"), 44: case("NatsAway"), 50: NONE},
    ),
    Fault(
        "no receiver runs",
        {RECEIVERS: later(2, 0), SILENCE: later(0.5, 6)},
        {16: NONE, 18: case("NoReceiver")},
    ),
    Fault(
        "a secret is wrong",
        {
            STORED: rising(0.125, 100, until=BEGIN),
            UNAUTHORIZED: rising(0.125, 7, since=BEGIN),
            SILENCE: rising(0.125, 0.5, since=BEGIN),
        },
        {25: NONE, 50: case("SecretRefused", "shop")},
    ),
    Fault(
        "answers are late",
        {PROVOKED: rising(0.125, since=BEGIN, until=39)},
        {35: NONE, 40: case("RetriesProvoked", "shop")},
    ),
    Fault(
        "a callback comes at its fifth try",
        {LAST: later(2, 3)},
        {14: NONE, 16: case("LastTry", "shop"), 80: NONE},
    ),
    Fault(
        "many of many answers are late",
        {
            GOOD: rising(100),
            LATE: rising(20, 1, since=BEGIN),
            PROVOKED: rising(20, since=BEGIN),
        },
        {15: NONE, 20: case("TooManyRetries")},
    ),
    Fault(
        "a few of many answers are late",
        {GOOD: rising(500), LATE: rising(1.25, 1, since=BEGIN), DONE: rising(30)},
        {20: NONE, 70: case("ManyRetries")},
        step=15,
    ),
    Fault(
        "a source is silent",
        {SILENCE: later(0.5, 5)},
        {19: NONE, 21: case("SourceSilent", "shop")},
    ),
    Fault(
        "a certificate is not renewed",
        {CERTIFICATE: flat(7 * 86_400 + 60 * BEGIN)},
        {14: NONE, 16: case("CertificateExpires")},
    ),
    Fault(
        "callbacks are of a new form",
        {QUARANTINED: later(1, 2)},
        {14: NONE, 16: case("CallbacksUnreadable", "shop")},
    ),
    Fault(
        "a stream takes nothing",
        {"yizhan_spool_oldest_age_seconds": rising(60, since=BEGIN)},
        {25: NONE, 32: case("SpoolStuck")},
    ),
    Fault(
        "a spool's disk is gone",
        {"yizhan_spool_unreadable": later(0, 1)},
        {16: NONE, 18: case("SpoolUnreadable")},
    ),
    Fault(
        "no process runs a handler",
        {**STOPS, OWNED: later(1, 0)},
        {17: NONE, 22: case("HandlerNotOwned", "ship"), 25: case("HandlerNotOwned", "ship")},
    ),
    Fault(
        "no worker is left",
        {**STOPS, OWNED: later(1, None)},
        {17: NONE, 22: case("HandlerNotOwned", "ship"), 25: case("HandlerNotOwned", "ship")},
    ),
    Fault(
        "an operator has paused a handler",
        {**STOPS, PAUSED: later(0, 1)},
        {22: NONE, 45: NONE, 75: NONE},
    ),
    Fault(
        "a handler is wedged",
        STOPS,
        {24: NONE, 29: case("HandlerWedged", "ship"), 32: case("HandlerWedged", "ship")},
    ),
    Fault(
        "a handler is too slow",
        {OLDEST: rising(60, 2, since=BEGIN)},
        {30: NONE, 36: case("HandlerBehind", "ship"), 38: case("HandlerBehind", "ship")},
    ),
    Fault(
        "a handler is broken",
        BREAKS,
        {17: NONE, 30: case("HandlerFailing", "ship"), 32: case("HandlerFailing", "ship")},
    ),
    Fault(
        "a handler gives up on an event",
        {DEAD: later(3, 4)},
        {14: NONE, 16: case("DeadLetters", "ship")},
    ),
    Fault(
        "a process was killed within an effect",
        {IN_DOUBT: later(0, 1)},
        {18: NONE, 21: case("EffectInDoubt", "ship")},
    ),
    Fault(
        "the platform's API is down",
        {**BREAKS, "yizhan_api_breaker_open": later(0, 1)},
        {18: NONE, 21: case("ApiDown"), 32: case("ApiDown")},
    ),
    Fault(
        "the disk is nearly full",
        {
            "yizhan_disk_full_seconds": later(2_000_000, 50_000),
            STREAM_FULL: later(2_000_000, 50_000),
        },
        {18: NONE, 21: case("DiskFullSoon")},
    ),
    Fault(
        "a stream nears its bound",
        {STREAM_FULL: later(2_000_000, 50_000)},
        {18: NONE, 21: case("StreamFullSoon", "YIZHAN")},
    ),
)


def notation(values: Values) -> str:
    """As promtool reads them."""
    shown = []
    for before, value in zip([None, *values], values, strict=False):
        gap = "_" if before is None else "stale"  # as Prometheus marks what a page no longer has
        shown.append(gap if value is None else f"{value:g}")
    return " ".join(shown)


def pages(fault: Fault) -> Iterator[tuple[datetime, Figures]]:
    """What `yizhan metrics` would have shown, minute by minute."""
    columns = [(key_of(name), values) for name, values in fault.series().items()]
    for minute in MINUTES:
        figures = Figures()
        for (key, kind), values in columns:
            if (value := values[minute]) is not None:
                getattr(figures, kind)[key] = value
        yield START + timedelta(minutes=minute * fault.step), figures


def key_of(series: str) -> tuple[tuple[str, ...], str]:
    """The key of `Figures` of a series as Prometheus writes it, and where that is kept."""
    name, _, rest = series.partition("{")
    labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    row = next(row for row in ROWS if row.exported == name)
    kind = "counters" if row.kind == "counter" else "gauges"
    return (row.name, *(labels.get(label, "") for label in row.labels)), kind
