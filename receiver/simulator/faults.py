"""How the simulated API is made to fail. Performs no I/O."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal[
    "429", "500", "503", "slow", "cut", "garbage", "refused", "expired", "outcome-unknown"
]
"""HTTP 429 with `Retry-After`, 500, 503; a late answer; no answer on a connection that is cut; an
answer that is no reply; an inner `success: false`; a signature that is too old; and the work done
before the connection is cut."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(slots=True)
class Fault:
    """A share of calls (`rate`), or the next `times` of them, meet this; `rows` empty: any call.

    `retry_after_s` goes with 429, `delay_s` is how long a slow answer takes.
    """

    kind: Kind
    rate: float = 1.0
    times: int | None = None
    rows: frozenset[str] = field(default_factory=frozenset)
    retry_after_s: int = 1
    delay_s: float = 2.0


class Faults:
    """Faults in an order: a call meets the first that it draws. The same seed draws the same."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 1) -> None:
        self.faults = list(faults)
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret

    @classmethod
    def parse(cls, text: str, *, rows: Iterable[str], seed: int = 1) -> Faults:
        """From `KIND=RATE@ROW,…`, where rate (1) and row (any) may be left out.

        Raises `ValueError`, which says what is wrong.
        """
        known = frozenset(rows)
        return cls((_fault(part.strip(), known) for part in text.split(",")), seed=seed)

    def drawn(self, row: str) -> Fault | None:
        """What this call of `row` meets."""
        for fault in self.faults:
            if fault.rows and row not in fault.rows:
                continue
            if fault.times == 0 or self._chance.random() >= fault.rate:
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None


def _fault(text: str, known: frozenset[str]) -> Fault:
    what, _, row = text.partition("@")
    word, _, rate_text = what.partition("=")
    kind = next((kind for kind in KINDS if kind == word), None)
    if kind is None:
        raise ValueError(f"{word!r} is no fault: write one of {', '.join(KINDS)}")
    try:
        rate = float(rate_text or 1)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"{rate_text!r} is no share of the calls: write one from 0 to 1")
    if row and row not in known:
        raise ValueError(f"{row!r} is no call: write one such as alibaba_orders_detail")
    return Fault(kind, rate, rows=frozenset({row} if row else ()))
