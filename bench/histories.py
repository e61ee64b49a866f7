"""`python -m bench.histories`: many histories of orders, each reported in two ways; one state, and
one set of effects. The tests draw a thousand of them.
"""

from __future__ import annotations

import argparse
import sys
import time

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.projection.histories import check, histories, shuffled


def main() -> int:
    """The command: 0 where each history ended in one state; else what differs is raised."""
    parser = argparse.ArgumentParser(prog="python -m bench.histories", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    wanted = parser.parse_args().histories
    begun, events = time.monotonic(), 0

    @settings(
        max_examples=wanted,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal events
        history = data.draw(histories())
        events += len(history)
        check(history, data.draw(shuffled(history)))

    run()
    took_s = time.monotonic() - begun
    print(f"{wanted:,} histories of {events:,} events in any order: one state each, {took_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
