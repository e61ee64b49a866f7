"""Limits that all connections of one server share: counts, sizes of bodies, deadlines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from typing import Final, Protocol

from receiver.observability.log_sampling import Sampling
from receiver.observability.logs import get_logger
from receiver.settings.networks import Network, read_address
from receiver.web.client_address import within
from receiver.web.connection.admission import AdmissionQueue
from receiver.web.connection.phase import Phase

_SWEEP_S: Final = 0.25
_MAX_LINES_PER_S: Final = 5
_LINGER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """Bounds of what a sender may take. Seconds, and bytes of a request's line and headers.

    `receive_timeout_s` is for a whole request, headers and body; `answer_timeout_s` for the answer
    until its sender has read it, and longer than any publish takes; `idle_timeout_s` for the pause
    between two requests. `bodies_bytes` is for all bodies together that are not whole yet.
    `per_address` does not hold for `trusted_proxies`. `queue_timeout_s` is how long a request may
    wait for its turn: half of the second that the platforms wait.
    """

    receive_timeout_s: float = 5.0
    answer_timeout_s: float = 65.0
    idle_timeout_s: float = 75.0
    queue_timeout_s: float = 0.5
    headers: int = 64
    head_bytes: int = 16 * 1024
    connections: int = 4096
    per_address: int = 512
    bodies_bytes: int = 256 * 1024 * 1024
    trusted_proxies: Sequence[Network] = ()

    def timeouts_s(self) -> Mapping[Phase, float]:
        """How long a connection may stay in a phase; one that is not named goes on with the time
        of the phase before it.
        """
        return {
            Phase.NEW: self.receive_timeout_s,
            Phase.HEAD: self.receive_timeout_s,  # and for the body
            Phase.ANSWERING: self.answer_timeout_s,
            Phase.UNREAD: self.answer_timeout_s,
            Phase.IDLE: self.idle_timeout_s,
            Phase.LINGERING: _LINGER_S,
        }


class Expiring(Protocol):
    """A connection whose time is up at `deadline`, by the event loop's clock."""

    deadline: float

    def expire(self) -> None:
        """Cut the connection."""


class ConnectionLimits:
    """The shared part of the connections of one server; `start` it in the event loop.

    `count` gets the reason of every connection or request that is refused here.
    """

    def __init__(self, limits: EdgeLimits, *, count: Callable[[str], None]) -> None:
        self.bounds = limits
        self.timeouts_s = limits.timeouts_s()
        self.loop = asyncio.get_running_loop()
        self.admission = AdmissionQueue(self.loop, timeout_s=limits.queue_timeout_s)
        self._count = count
        self._held: Counter[str] = Counter()
        self._open = 0
        self._held_bytes = 0
        self._lines = Sampling(_MAX_LINES_PER_S)
        self._log = get_logger("yizhan.receiver")

    def acquire(self, peer: str | None) -> str | None:
        """Count a new connection: the key to `release` with, None where there are too many."""
        if self._open >= self.bounds.connections:
            self.refused("too_many_connections")
            return None
        key = self._key(peer)
        if key and self._held[key] >= self.bounds.per_address:
            self.refused("too_many_connections_of_address")
            return None
        self._open += 1
        self._held[key] += 1
        return key

    def release(self, key: str) -> None:
        """A connection that was acquired is gone."""
        self._open -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def reserve_body(self, size_bytes: int) -> bool:
        """Count a part of a body that is not whole yet; False where there are too many of them.
        A negative size gives back.
        """
        self._held_bytes += size_bytes
        return self._held_bytes <= self.bounds.bodies_bytes

    def refused(self, reason: str) -> None:
        """Count and log a refusal, the log within bounds."""
        self._count(reason)
        if (held_back := self._lines.admit()) is not None:
            more = {"not_logged": held_back} if held_back else {}
            self._log.warning("connection_refused", reason=reason, **more)

    async def sweep(self, connections: Iterable[Expiring]) -> None:
        """Cut, for ever, the connections whose time is up."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = self.loop.time()
            for connection in [c for c in connections if c.deadline < now]:
                connection.expire()

    def _key(self, peer: str | None) -> str:
        """Whose connection it is: an address, or an IPv6 sender's network; blank if not counted."""
        address = read_address(peer or "")
        if address is None or within(address, self.bounds.trusted_proxies):
            return ""
        if isinstance(address, IPv6Address):
            return str(ip_network((address, 64), strict=False))
        return str(address)
