"""Every contender at few and at many connections, under both ways of syncing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.contenders import Contender
from bench.measure import Place, Sample, measure

CONNECTIONS = {"always": (1, 4, 32, 64, 256), "lazy": (1, 32, 256)}
ROUNDS = 3


class Case(NamedTuple):
    """What was measured."""

    sync: str
    connections: int
    contender: str


async def measure_matrix(
    place: Place, contenders: Sequence[Contender], sync: str, seconds: int
) -> dict[Case, list[Sample]]:
    """Three rounds; in each everyone takes turns, so that a slow spell hits all alike."""
    samples: dict[Case, list[Sample]] = {}
    for contender in contenders:  # warm up: imports, connections, first files of the streams
        await measure(place, contender, place.load(contender, 32, 1))
    for number in range(1, ROUNDS + 1):
        for connections in CONNECTIONS[sync]:
            for contender in contenders:
                sample = await measure(
                    place, contender, place.load(contender, connections, seconds)
                )
                samples.setdefault(Case(sync, connections, contender.name), []).append(sample)
                print(
                    f"  {sync:6} round {number} {connections:3} connections {contender.name:16}"
                    f"{sample.result.per_s:8.0f}/s  p99 {sample.result.p99_ms:7.1f} ms"
                    f"  stored {sample.stored}",
                    flush=True,
                )
    return samples
