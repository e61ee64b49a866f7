"""Where each row of the platform's menu is served, in every edition.

Methods and paths are the client's: they are written from docs/platform once, and compared with it
by a test. This is all that the simulator takes from the client.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from receiver.client.calls.registry import ENDPOINTS
from receiver.simulator.asked import Edition


@dataclass(frozen=True, slots=True)
class ServedRow:
    """One row under one path; `signed_in_query` as the warehouse calls are."""

    name: str
    edition: Edition
    method: str
    path: str
    changes_state: bool
    signed_in_query: bool


def served_rows() -> Iterator[ServedRow]:
    """Every row by every path that it has; a path that editions share is the first one's."""
    seen: set[str] = set()
    for name, endpoint in ENDPOINTS.items():
        for edition, route in endpoint.routes.items():
            if route.path in seen:
                continue
            seen.add(route.path)
            yield ServedRow(
                name=name,
                edition=edition,
                method=route.method,
                path=route.path,
                changes_state=endpoint.changes_state,
                signed_in_query=endpoint.signed_in_query,
            )
