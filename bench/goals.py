"""The goals of the receiver's speed, and how far a run is from each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.contenders import BY_HAND, EMPTY, EQUAL, NODE, YIZHAN
from bench.extras import STEADY_PER_S
from bench.outcome import Outcome

_NAMES = {EQUAL: "FastAPI's with equal work", BY_HAND: "bare FastAPI's", NODE: "bare Node's"}
_RATES = {
    32: {EQUAL: 3, BY_HAND: 1.5, NODE: 1.0},
    256: {EQUAL: 4.5, BY_HAND: 2.2, NODE: 1.5},
}
_P50_ALONE = {EQUAL: 0.95, BY_HAND: 1.35}


@dataclass(frozen=True, slots=True)
class Goal:
    """`floor` says whether the value must be at least, or at most, the bound."""

    text: str
    value: float
    bound: float
    unit: str = ""
    floor: bool = True

    @property
    def reached(self) -> bool:
        """Whether this run reached it."""
        return self.value >= self.bound if self.floor else self.value <= self.bound


def goals(outcome: Outcome) -> Iterator[Goal]:
    """Each goal with what this run found; what compares with others is under sync always."""
    yield from _beside_others(outcome)
    ours, hand, empty = (outcome.of("always", 256, c) for c in (YIZHAN, BY_HAND, EMPTY))
    lazy_hand = outcome.of("lazy", 256, BY_HAND)
    rate = ours.result.per_s
    lazily = "callbacks/s to bare FastAPI's under lazy sync, 256 connections"
    yield Goal(lazily, rate / lazy_hand.result.per_s, 1)
    yield Goal("callbacks/s to the empty ASGI app's, 256", rate / empty.result.per_s, 0.4)
    p99 = ours.result.p99_ms / hand.result.p99_ms
    yield Goal("p99 to bare FastAPI's, 256 connections", p99, 0.5, floor=False)
    if outcome.steady is not None:
        steady = outcome.steady
        at = f"at a steady {STEADY_PER_S}/s"
        yield Goal(f"p99 {at}", steady.answers.p99_ms, 15, " ms", floor=False)
        yield Goal(f"callback to handler p99 {at}", steady.handler_p99_ms, 50, " ms", floor=False)
    if outcome.flood is not None:
        refused = outcome.flood.alone.refused_per_s
        yield Goal("bad signatures refused/s to good ones stored/s, 256", refused / rate, 3)
        good = outcome.flood.good.p99_ms
        yield Goal("p99 of good ones at 200/s in a flood", good, 100, " ms", floor=False)
    if len(outcome.growth) == 2:
        few, many = outcome.growth
        text = f"callbacks/s with {many.events:,} stored events to {few.events:,}"
        yield Goal(text, many.per_s / few.per_s, 0.9)


def _beside_others(outcome: Outcome) -> Iterator[Goal]:
    """Those that took part: rates at 32 and 256 connections, the median time of a lone callback."""
    for connections, bounds in _RATES.items():
        ours = outcome.of("always", connections, YIZHAN).result
        for contender, bound in bounds.items():
            if contender in outcome.contenders:
                theirs = outcome.of("always", connections, contender).result
                text = f"callbacks/s to {_NAMES[contender]}, {connections} connections"
                yield Goal(text, ours.per_s / theirs.per_s, bound)
    alone = outcome.of("always", 1, YIZHAN).result
    for contender, bound in _P50_ALONE.items():
        theirs = outcome.of("always", 1, contender).result
        text = f"p50 to {_NAMES[contender]}, 1 connection"
        yield Goal(text, alone.p50_ms / theirs.p50_ms, bound, floor=False)
