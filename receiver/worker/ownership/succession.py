"""What taking over a durable asks of NATS: a claim that one process gets, and giving back.

Performs the requests; who takes over, and when, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.pinned import Delivered, give_back, look, unpin
from receiver.bus.worker_records import WorkerRecords
from receiver.errors import BusError
from receiver.worker.ownership.presence import Presence


class Succession:
    """Of one durable, by this process."""

    def __init__(
        self,
        connection: Connection,
        plan: ConsumerPlan,
        records: WorkerRecords,
        presence: Presence,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._records = records
        self._presence = presence

    @property
    def clustered(self) -> bool:
        """Whether the server is one of several; raises `BusError` while NATS is away."""
        return self._connection.client.is_clustered

    async def look(self) -> Delivered:
        """How far the durable has come; raises `BusError`."""
        return await look(self._connection.client, self._plan)

    async def claim(self, name: str) -> bool:
        """Whether this process, and no other, is to take over what `name` stands for.

        The claim is read back: one that timed out may be stored. A claim of a process that is gone
        is void. Raises `BusError`.
        """
        mine = self._presence.worker
        with contextlib.suppress(BusError):
            if await self._records.claim(mine.encode(), "claims", name):
                return True
        claimed = await self._records.last("claims", name)
        if claimed is None:
            return False
        claimant = claimed.body.decode()
        if claimant == mine:
            return True
        if await self._presence.lives(claimant):
            return False
        return await self._records.claim(mine.encode(), "claims", name, over=claimed.seq)

    async def begin(
        self, client: PipeliningClient, *, keep: Callable[[int], bool], void: Container[str]
    ) -> int:
        """Give back all that is pending and not to `keep`, then unpin a client that is gone, whose
        pin is `void`; gives how much was pending. Raises `BusError`."""
        pending = await give_back(client, self._plan, keep=keep)
        if (await look(client, self._plan)).pin in void:
            await unpin(client, self._plan)
        return pending

    async def resign(self) -> None:
        """Unpin this process, so that the next one begins at once."""
        with contextlib.suppress(BusError):
            await unpin(self._connection.client, self._plan)
