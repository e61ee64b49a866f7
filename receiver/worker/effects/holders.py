"""Whether the body of a claimed effect still runs: the process that claimed it is asked.

It answers on `<root>.workers.effects.<worker>`. So neither clock decides while it lives; the
deadline of a claim counts only where no answer comes, as from a process that is suspended.

That a process has no responders is no proof that it is gone: its server may have been started anew,
or have hung up. On its machine the operating system knows. From elsewhere it is taken for gone
where it stays away from the server that it was connected with, or from one that it had the time to
come back to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.connection import Connection, Sleep
from receiver.bus.server_watch import ServerWatch
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.worker.effects import os_process
from receiver.worker.effects.states import Answer, EffectRecord

_ANSWER_S: Final = 0.5
_TRIES: Final = 3
_AGAIN_S: Final = 0.25
"""A process whose server died, or that restarted, is back on another one by the last try."""
_RUNS: Final = b"runs"


class Holders(Protocol):
    """The processes that run bodies, this one among them."""

    @property
    def worker(self) -> str:
        """The name of this process."""

    @property
    def process(self) -> str | None:
        """Its name for the operating system, see `os_process.name_of`."""

    async def begin(self, claim: str) -> str | None:
        """A claim is about to be made here; the body runs from then on. Gives the id of the server
        that others can ask on, None where there is none."""

    def end(self, claim: str) -> None:
        """It does not run here any more."""

    async def asked(self, record: EffectRecord) -> Answer:
        """What the process that made a claim says of it; raises `BusError`."""


class LocalHolders:
    """`Holders` where there is no other process: every other name is of one that is gone."""

    def __init__(self) -> None:
        self.worker = secrets.token_hex(6)
        self.process = os_process.name_of(os.getpid())
        self._running: set[str] = set()

    async def begin(self, claim: str) -> str | None:
        """See `Holders.begin`."""
        self._running.add(claim)
        return None

    def end(self, claim: str) -> None:
        """See `Holders.end`."""
        self._running.discard(claim)

    async def asked(self, record: EffectRecord) -> Answer:
        """See `Holders.asked`."""
        if record.worker != self.worker:
            return "gone"
        return "runs" if record.claim in self._running else "ended"


class BusHolders(LocalHolders):
    """`Holders` that ask one another by NATS; of several connections each answers, so that the end
    of one server is not taken for that of a process.
    """

    def __init__(
        self,
        connections: Sequence[Connection],
        subjects: Subjects,
        *,
        sleep: Sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._connections = connections
        self._subjects = subjects
        self._sleep = sleep
        self._watch = ServerWatch(connections[0], clock)
        self._listening: dict[int, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        for connection in connections:
            connection.on_reconnect(self._listen_soon)

    async def begin(self, claim: str) -> str | None:
        """See `Holders.begin`; raises `BusError` where NATS is away."""
        await self._listen(self._connections[0])
        await self._listen_again(self._connections[1:])  # the first one answers
        server = self._watch.look()
        await super().begin(claim)
        return server

    async def asked(self, record: EffectRecord) -> Answer:
        """See `Holders.asked`; without responders it is asked again, and silent where it may be on
        its way back.
        """
        if record.worker == self.worker:
            return await super().asked(record)
        for number in range(_TRIES):
            if number:
                await self._sleep(_AGAIN_S)
            answer = await self._ask(record)
            if answer != "gone" or os_process.lives(record.process) is False:
                return answer
        if os_process.lives(record.process):
            return "silent"
        return "gone" if self._watch.misses(seen_on=record.server) else "silent"

    def _listen_soon(self) -> None:
        """A connection that was dialled anew has no subscriptions, and a body may run."""
        if self._running:
            task = asyncio.create_task(self._listen_again(self._connections), name="holders-listen")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _listen_again(self, connections: Sequence[Connection]) -> None:
        for connection in connections:
            with contextlib.suppress(BusError):
                await self._listen(connection)

    async def _listen(self, connection: Connection) -> None:
        client = connection.client
        if self._listening.get(id(connection)) is client:  # else it was dialled anew
            return
        try:
            subject = self._subjects.workers("effects", self.worker)
            await client.subscribe(subject, cb=self._answer)
        except (NatsError, OSError) as error:
            raise BusError(f"no other process could ask: {type(error).__name__}") from error
        self._listening[id(connection)] = client

    async def _ask(self, record: EffectRecord) -> Answer:
        client = self._connections[0].client
        try:
            subject = self._subjects.workers("effects", record.worker)
            reply = await client.request(subject, record.claim.encode(), _ANSWER_S)
        except NoRespondersError:
            return "gone"
        except (NatsError, OSError):
            return "silent"
        return "runs" if reply.data == _RUNS else "ended"

    async def _answer(self, message: Msg) -> None:
        runs = message.data.decode(errors="replace") in self._running
        try:
            await message.respond(_RUNS if runs else b"ended")
        except (BusError, NatsError, OSError):
            return  # who asked asks again
