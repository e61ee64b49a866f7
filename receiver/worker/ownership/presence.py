"""Which worker processes live, and what each of them owns.

Every process says so five times a second on `<root>.workers.owners`, answers pings on
`<root>.workers.ping.<id>` and requests to let go of a handler on `<root>.workers.release.<id>`.
A ping without responders means that the process is gone: the server sees its connections
close. One that was started anew says so of every process that is not back yet: it counts once a
process had the time for that, or was heard. It answers on two connections where there are several
servers, so that the death of one of those is not taken for its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.connection import Connection, Sleep
from receiver.bus.server_watch import ServerWatch
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.resilience import supervision

TICK_S: Final = 0.1
_ANNOUNCE_TICKS: Final = 2
_PING_S: Final = 0.1
_RELEASE_S: Final = 2.0
_PEER_S: Final = 1.0
"""For how long a process that said nothing is still counted among the living."""

Release = Literal["idle", "busy", "gone", "silent"]
"""What a process answered that was asked to let go: it runs nothing any more, it still does; or
it is gone, or does not answer."""


class Member(Protocol):
    """A handler of this process."""

    @property
    def announced(self) -> str | None:
        """The pin under which it is owned here, empty where it is about to be, None where not."""

    def heard(self, worker: str, pin: str) -> None:
        """Another process says that it owns the handler."""

    def left(self, worker: str) -> None:
        """Another process says that it does not."""

    def gone(self) -> None:
        """A ping of the process that is watched had no responders."""

    async def release(self) -> bool:
        """Let go of it; whether nothing runs any more."""


class Presence:
    """A process among the others, from `start` to `stop`; `worker` is its random name."""

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        *,
        second: Connection | None = None,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self.worker = secrets.token_hex(6)
        self.alone = False
        self._connection = connection
        self._second = second
        self._subjects = subjects
        self._clock = clock
        self._sleep = sleep
        self._watch = ServerWatch(connection, clock)
        self._members: dict[str, Member] = {}
        self._peers: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._watched: dict[str, str] = {}
        self._listening: dict[int, Client] = {}
        self._ticks = 0
        self._task: asyncio.Task[None] | None = None

    def join(self, handler: str, member: Member) -> None:
        """Speak for a handler of this process."""
        self._members[handler] = member

    async def start(self) -> None:
        """Look whether there are others, and begin; `alone` is whether there were none."""
        with contextlib.suppress(BusError):
            self.alone = await self._has_no_responders("hello")
            await self._listen()
        self._task = supervision.start(self._keep, name="presence")

    async def stop(self) -> None:
        """Be silent."""
        await supervision.stop(self._task)

    def peers(self) -> frozenset[str]:
        """The processes that live, this one too."""
        now = self._clock()
        return frozenset({self.worker, *(p for p, at in self._peers.items() if now - at < _PEER_S)})

    def watch(self, handler: str, worker: str | None) -> None:
        """Ping the process that owns a handler, from now on; none with None."""
        if worker is None:
            self._watched.pop(handler, None)
        else:
            self._watched[handler] = worker
        self._deaths = {w: n for w, n in self._deaths.items() if w in self._watched.values()}

    def deaths(self, worker: str) -> int:
        """How many of the last pings in a row had no responders."""
        return self._deaths.get(worker, 0)

    async def lives(self, worker: str) -> bool:
        """Whether somebody is there for a ping, be it without an answer; raises `BusError`."""
        return not await self._has_no_responders("ping", worker)

    def announce(self) -> None:
        """Say what this process owns, now; nothing where NATS is away."""
        owned = {h: m.announced for h, m in self._members.items() if m.announced is not None}
        said = json.dumps({"worker": self.worker, "owns": owned}).encode()
        subject = self._subjects.workers("owners")
        with contextlib.suppress(BusError, NatsError):
            client = self._connection.client
            client.write(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(said), said))

    async def ask_release(self, worker: str, handler: str) -> Release:
        """Ask another process to let go of a handler."""
        subject = self._subjects.workers("release", worker)
        try:
            reply = await self._connection.client.request(subject, handler.encode(), _RELEASE_S)
        except NoRespondersError:
            return "gone"
        except (BusError, NatsError, OSError):
            return "silent"
        return "idle" if reply.data == b"idle" else "busy"

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(BusError, NatsError, OSError):
                self._watch.look()
                await self._listen()
                if self._ticks % _ANNOUNCE_TICKS == 0:
                    self.announce()
                self._ticks += 1
                await asyncio.gather(*map(self._ping, set(self._watched.values())))
            await self._sleep(TICK_S)

    async def _ping(self, worker: str) -> None:
        silent = await self._has_no_responders("ping", worker)
        if silent and self._watch.misses(seen_at=self._peers.get(worker)):
            self._deaths[worker] = self.deaths(worker) + 1
            for handler, watched in self._watched.items():
                if watched == worker:
                    self._members[handler].gone()
        else:
            self._deaths.pop(worker, None)

    async def _has_no_responders(self, *tokens: str) -> bool:
        """Whether a request has no responders, by the server's word; raises `BusError`."""
        client = self._connection.client
        try:
            await client.request(self._subjects.workers(*tokens), b"", _PING_S)
        except NoRespondersError:
            return True
        except (NatsError, OSError):
            return False
        return False

    async def _listen(self) -> None:
        """Subscribe on each connection, once: it may have been dialled anew."""
        for connection in filter(None, (self._connection, self._second)):
            if not connection.ready:
                continue
            client = connection.client
            if self._listening.get(id(connection)) is client:
                continue
            self._listening[id(connection)] = client
            await client.subscribe(self._subjects.workers("ping", self.worker), cb=_answer)
            await client.subscribe(
                self._subjects.workers("release", self.worker), cb=self._on_release
            )
            if connection is self._connection:
                await client.subscribe(self._subjects.workers("hello"), cb=self._on_hello)
                await client.subscribe(self._subjects.workers("owners"), cb=self._on_owners)

    async def _on_hello(self, message: Msg) -> None:
        await _answer(message)
        self.announce()

    async def _on_release(self, message: Msg) -> None:
        member = self._members.get(message.data.decode(errors="replace"))
        idle = member is None or await member.release()
        with contextlib.suppress(NatsError, OSError):
            await message.respond(b"idle" if idle else b"busy")

    async def _on_owners(self, message: Msg) -> None:
        said = _read(message.data)
        worker, owned = said.get("worker"), said.get("owns")
        if not isinstance(worker, str) or worker == self.worker or not isinstance(owned, Mapping):
            return
        self._peers[worker] = self._clock()
        for handler, member in self._members.items():
            pin = owned.get(handler)
            if isinstance(pin, str):
                member.heard(worker, pin)
            else:
                member.left(worker)


async def _answer(message: Msg) -> None:
    with contextlib.suppress(NatsError, OSError):
        await message.respond(b"")


def _read(data: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}
