"""One row of the table of metrics, and the words of its labels. Plain data.

Labels are closed sets: names of sources, handlers, API rows and streams as the settings and the
code have them, and the words that stand here. Never an order, an id or an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
Origin = Literal["log", "process", "collector"]
"""`log`: what JetStream holds now, exact whatever process ended. `process`: what processes count,
report every few seconds and is added up over all that ever ran. `collector`: who collects."""
Page = Literal["collected", "receiver", "handlers", "api"]
"""`yizhan metrics`, and `/metrics` of one receiver, of one handler port, of `api.metrics_port`."""

Words = tuple[str, ...]
"""The values of a label; none for names of sources, handlers, rows or streams."""
NAMES: Final[Words] = ()
NO_LABELS: Final[Mapping[str, Words]] = MappingProxyType({})

ACK_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0)
"""Round the second within which the platform wants its 200."""
PUSH_AGE_BOUNDS_S: Final = (-600.0, -60.0, -5.0, -1.0, 0.0, 1.0, 5.0, 60.0, 600.0, 3600.0)
"""Below 0 the sender's clock is ahead of ours."""
RUN_BOUNDS_S: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0)
CALL_BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric; `name` is without the `_total` that counters get when they are exported.

    The values of a label are names, or the words that it stands with here. `bounds` are the upper
    ones of a histogram's buckets. What is `former` goes with the next release but one: it says what
    to use instead. On the page of one process a metric of processes has the label `worker`, too.
    """

    name: str
    kind: Kind
    help: str
    origin: Origin
    labels: Mapping[str, Words] = field(default_factory=lambda: NO_LABELS)
    bounds: tuple[float, ...] = ()
    pages: tuple[Page, ...] = ("collected",)
    former: str | None = None

    @property
    def exported(self) -> str:
        """As a rule or a panel names it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


ANSWERS: Final[Words] = (
    "stored",
    "retransmission",
    "duplicate",
    "quarantined",
    "spooled",
    "checked",
    "unauthorized",
    "refused",
    "unavailable",
    "failed",
    "gone",
)
CAUSES: Final[Words] = ("provoked", "platform")
TRIES: Final[Words] = ("good", "late", "failed")
RETRIES: Final[Words] = (*(str(nth) for nth in range(1, 13)), "other")
"""The platform's first retry, and so on; `other` is no multiple of its spacing."""
RUN_OUTCOMES: Final[Words] = (
    "done",
    "dropped",
    "postponed",
    "retried",
    "dead_lettered",
    "released",
    "coalesced",
)
CALL_OUTCOMES: Final[Words] = ("ok", "rejected", "rate_limited", "unavailable", "outcome_unknown")
EFFECT_STATES: Final[Words] = ("claimed", "done", "released", "in_doubt", "settled")
PROCESSES: Final[Words] = ("receiver", "handlers")
PARTS: Final[Words] = ("processes", "sources", "streams", "handlers", "effects")
