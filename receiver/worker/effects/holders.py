"""Whether the body of a claimed effect still runs: the process that claimed it is asked.

It answers on `<root>.workers.effects.<worker>`. So neither clock decides while it lives; the
deadline of a claim counts only where no answer comes, as from a process that is suspended.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from typing import Final, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.connection import Connection, Sleep
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.worker.effects.states import Answer

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

    async def begin(self, claim: str) -> None:
        """A claim is about to be made here; the body runs from then on."""

    def end(self, claim: str) -> None:
        """It does not run here any more."""

    async def asked(self, worker: str, claim: str) -> Answer:
        """What a process says of a claim that it made; raises `BusError`."""


class LocalHolders:
    """`Holders` where there is no other process: every other name is of one that is gone."""

    def __init__(self) -> None:
        self.worker = secrets.token_hex(6)
        self._running: set[str] = set()

    async def begin(self, claim: str) -> None:
        """See `Holders.begin`."""
        self._running.add(claim)

    def end(self, claim: str) -> None:
        """See `Holders.end`."""
        self._running.discard(claim)

    async def asked(self, worker: str, claim: str) -> Answer:
        """See `Holders.asked`."""
        if worker != self.worker:
            return "gone"
        return "runs" if claim in self._running else "ended"


class BusHolders(LocalHolders):
    """`Holders` that ask one another by NATS; of several connections each answers, so that the end
    of one server is not taken for that of a process.
    """

    def __init__(
        self, connections: Sequence[Connection], subjects: Subjects, *, sleep: Sleep
    ) -> None:
        super().__init__()
        self._connections = connections
        self._subjects = subjects
        self._sleep = sleep
        self._listening: dict[int, Client] = {}

    async def begin(self, claim: str) -> None:
        """See `Holders.begin`; raises `BusError` where NATS is away."""
        await self._listen(self._connections[0])
        for connection in self._connections[1:]:
            with contextlib.suppress(BusError):  # the first one answers
                await self._listen(connection)
        await super().begin(claim)

    async def asked(self, worker: str, claim: str) -> Answer:
        """See `Holders.asked`: gone is who has no responders several times in a row."""
        if worker == self.worker:
            return await super().asked(worker, claim)
        for number in range(_TRIES):
            if number:
                await self._sleep(_AGAIN_S)
            answer = await self._ask(worker, claim)
            if answer != "gone":
                return answer
        return "gone"

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

    async def _ask(self, worker: str, claim: str) -> Answer:
        client = self._connections[0].client
        try:
            subject = self._subjects.workers("effects", worker)
            reply = await client.request(subject, claim.encode(), _ANSWER_S)
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
