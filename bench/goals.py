"""The goals of the receiver's speed, and how far a run is from each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.contenders import BY_HAND, EMPTY, YIZHAN
from bench.extras import STEADY_PER_S
from bench.outcome import Outcome


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
    """Each goal with what this run found."""
    ours, hand, empty = (outcome.of("always", 256, c) for c in (YIZHAN, BY_HAND, EMPTY))
    lazy_hand = outcome.of("lazy", 256, BY_HAND)
    alone, hand_alone = (outcome.of("always", 1, c) for c in (YIZHAN, BY_HAND))
    rate, hand_rate = ours.result.per_s, hand.result.per_s
    yield Goal("callbacks/s to FastAPI's, 256 connections, sync always", rate / hand_rate, 3)
    yield Goal("the same to FastAPI's under lazy sync", rate / lazy_hand.result.per_s, 1)
    yield Goal("callbacks/s to the empty ASGI app's, 256", rate / empty.result.per_s, 0.4)
    p99 = ours.result.p99_ms / hand.result.p99_ms
    yield Goal("p99 to FastAPI's, 256 connections, sync always", p99, 0.5, floor=False)
    p50 = alone.result.p50_ms / hand_alone.result.p50_ms
    yield Goal("p50 to FastAPI's, 1 connection, sync always", p50, 1.3, floor=False)
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
