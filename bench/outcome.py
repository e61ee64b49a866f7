"""All that one run of the benchmark found; filled step by step, then written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bench.contenders import Contender
from bench.extras import Flood, Grown, Memory, Steady
from bench.machine import Cores
from bench.matrix import Case
from bench.measure import Sample, median


@dataclass(slots=True)
class Outcome:
    """The facts behind docs/performance.md."""

    when: datetime
    machine: str
    versions: str
    cores: Cores
    load_before: str
    long: bool
    node_skipped: str
    contenders: list[Contender]
    seconds: int
    took_s: float = 0.0
    samples: dict[Case, list[Sample]] = field(default_factory=dict)
    ready_s: Mapping[str, float] = field(default_factory=dict)
    memory_before: Memory | None = None
    memory: Memory | None = None
    steady: Steady | None = None
    flood: Flood | None = None
    growth: list[Grown] = field(default_factory=list)
    workers: Mapping[int, float] = field(default_factory=dict)

    def of(self, sync: str, connections: int, contender: Contender) -> Sample:
        """The median run of a case."""
        return median(self.samples[Case(sync, connections, contender.name)])
