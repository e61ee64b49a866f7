"""A bound on work that grows with its input: what is quadratic in a megabyte takes minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Far above what linear work takes on a slow and busy machine: this is no measure of speed.
MAX_S = 20.0


@contextmanager
def bounded_cost() -> Iterator[None]:
    """Fail where the block takes more processor time of this thread than linear work can."""
    started = time.thread_time()
    yield
    assert time.thread_time() - started < MAX_S
