"""What a worker process says of itself: its handlers, what they do now, and what became of events.

Asked on `<root>.workers.status`, every process answers; `yizhan handlers` and the metrics of a
supervisor are made of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from pydantic import BaseModel, ConfigDict

from receiver.bus.connection import Connection, Sleep
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.resilience import supervision

STATUS: Final = "status"
OWNER: Final = "owner"
_LOOK_S: Final = 0.5
_STANDS_BY: Final = "stands by"


class HandlerStatus(BaseModel):
    """One handler in one process; counts are since the start of that.

    `waiting` events were delivered to the process and are not begun. What is done and whose
    acknowledgement the server has not answered is `unanswered`. `buckets` are of
    `receiver.worker.counts.BOUNDS_S`, not cumulative.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: str
    running: int
    waiting: int
    unanswered: int
    owner_changes: int
    outcomes: dict[str, int]
    buckets: tuple[int, ...]
    seconds: float

    @property
    def owns(self) -> bool:
        """Whether this process runs the handler, or will as soon as an event comes."""
        return self.role != _STANDS_BY


class WorkerStatus(BaseModel):
    """One process; `parent` is the process id of its supervisor. A `guest` is a command that runs
    a replay, and takes no live events."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    worker: str
    host: str
    pid: int
    parent: int
    handlers: dict[str, HandlerStatus]
    guest: bool = False

    @classmethod
    def here(
        cls, worker: str, handlers: dict[str, HandlerStatus], *, guest: bool = False
    ) -> WorkerStatus:
        """Of this process."""
        return cls(
            worker=worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            parent=os.getppid(),
            handlers=handlers,
            guest=guest,
        )


class StatusService:
    """Answers for one process, from `start` to `stop`, also after NATS was away."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        *,
        read: Callable[[], WorkerStatus],
        sleep: Sleep,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._read = read
        self._sleep = sleep
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Answer from now on, or from when NATS is there."""
        with contextlib.suppress(BusError, NatsError, OSError):
            await self._listen()
        self._task = supervision.start(self._keep, name="worker-status")

    async def stop(self) -> None:
        """Answer no longer than the connection lives."""
        await supervision.stop(self._task)

    async def _keep(self) -> None:
        """A connection may have been dialled anew."""
        while True:
            await self._sleep(_LOOK_S)
            with contextlib.suppress(BusError, NatsError, OSError):
                await self._listen()

    async def _listen(self) -> None:
        client = self._connection.client
        if client is self._client:
            return
        await client.subscribe(self._subjects.workers(STATUS), cb=self._on_status)
        self._client = client

    async def _on_status(self, message: Msg) -> None:
        with contextlib.suppress(NatsError, OSError):
            await message.respond(self._read().model_dump_json().encode())
