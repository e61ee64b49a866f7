"""Which server a connection is to, and for how long: what "no responders" is worth.

A server that was started a moment ago has no responders for processes that live and are about to
come back to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from receiver.bus.connection import Connection

RETURN_S: Final = 3.0
"""Within which a process that lives is connected again: longer than a try to connect and the wait
before it."""


class ServerWatch:
    """Of one connection; `clock` is monotonic. A server counts from when it was first looked at."""

    def __init__(self, connection: Connection, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._clock = clock
        self._server = ""
        self._since = clock()

    def look(self) -> str:
        """The id of the server, another after each of its starts; raises `BusError`."""
        server = self._connection.client.server_id
        if server != self._server:
            self._server, self._since = server, self._clock()
        return server

    def misses(self, *, seen_at: float | None = None, seen_on: str | None = None) -> bool:
        """Whether a process without responders has left this server: it was here, since it was seen
        at that time of our clock or on a server of that id; or it had the time to come back. Raises
        `BusError`.
        """
        if seen_on == self.look() or (seen_at is not None and seen_at >= self._since):
            return True
        return self._clock() - self._since >= RETURN_S
