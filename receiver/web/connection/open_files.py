"""How many files, and so connections, the system lets this process open."""

from __future__ import annotations

import resource
from typing import Final

RESERVE: Final = 128
"""What is open beside connections: the log, the spool, the connection to NATS, libraries."""


def fit_open_files(connections: int) -> int:
    """Of so many connections, how many can be open at once, after the soft limit of open files was
    raised as far as it may be and is needed; at least 1.
    """
    wanted = connections + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, soft - RESERVE))
