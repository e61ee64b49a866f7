"""Which of the platform's tries a delivery is, by the time since the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Literal

from receiver.dialects.dialect import Dialect
from receiver.observability.counters import DeliveryCounts
from receiver.observability.metric_row import RETRIES
from receiver.settings import SourceSettings

TryOutcome = Literal["good", "late", "failed"]
"""As the sender sees it: 200 in time, 200 too late, no 200."""
OnTry = Callable[[SourceSettings, TryOutcome, float | None], None]
"""Takes how many seconds ago the first try of the callback was; None for the first."""
SPACING: Final = timedelta(minutes=30)
"""Between two tries of one callback (docs/platform/callbacks.md#delivery-of-xport)."""
_TOLERANCE: Final = 0.25
"""How far a retry may be from its time, in parts of the spacing."""


class TryCounts:
    """Counts tries; a dialect's `retry_horizon` says how many there are."""

    def __init__(self, counts: DeliveryCounts, dialects: Mapping[str, Dialect]) -> None:
        self._counts = counts
        self._retries = {name: one.retry_horizon // SPACING for name, one in dialects.items()}

    def tried(self, source: SourceSettings, outcome: TryOutcome, again_s: float | None) -> None:
        """See `OnTry`."""
        if again_s is None:
            self._counts.tried(source.name, outcome)
            return
        nth = retry_number(again_s, source.retry_every_s)
        last = nth is not None and nth >= self._retries[source.dialect] - 1
        word = str(nth) if str(nth) in RETRIES else RETRIES[-1]
        self._counts.retried(source.name, word, outcome, last=last)


def retry_number(again_s: float, every_s: float) -> int | None:
    """1 for the first retry; None where it is not near a multiple of the spacing."""
    nth = round(again_s / every_s)
    near = abs(again_s - nth * every_s) <= _TOLERANCE * every_s
    return nth if nth and near else None
