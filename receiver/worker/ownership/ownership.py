"""Whether this process runs one handler now, stands by, or is about to take over.

    stands by   pulls nothing; watches the owner
    candidate   gave back what the last owner held, and pulls: the first message makes it the owner
    owner       the server delivers to it alone

An owner loses its pin with each change of the server's leader and stays the owner: it pulls without
one and is pinned anew, while the others do not pull as long as they hear it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, Protocol

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection, Sleep
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.worker.ownership.fence import Fence
from receiver.worker.ownership.presence import TICK_S, Presence
from receiver.worker.ownership.succession import Succession
from receiver.worker.ownership.verdict import VACANT_S, Rival, judge, preferred, yields

_LISTEN_S: Final = 0.3
"""How long to listen for an owner before there is taken to be none: more than one announcement."""
_STRANGE_S: Final = 0.5
"""For how long a pin without an announcement is left to whoever may have just got it."""
_AUDIT_S: Final = 0.5
_GATE_S: Final = 0.02
_SETTLED_S: Final = 1.0
"""After how long a candidate has been heard by all others, which step back or stand by."""

Role = Literal["stands by", "candidate", "owner"]


class Work(Protocol):
    """What a process does with a handler while it owns it."""

    @property
    def busy(self) -> bool:
        """Whether a run goes on, also of an earlier ownership."""

    def keeps(self, seq: int) -> bool:
        """Whether what is pending under this sequence is in good hands here."""

    async def inherit(self, *, anew: bool) -> None:
        """A session begins; where it is the first of an ownership (`anew`), learn what earlier
        owners left. Raises `BusError`."""

    def expect(self, pending: int) -> None:
        """So much is pending, and what is not kept comes again: it is to be put in order."""

    def forget(self) -> None:
        """Another process runs the handler: start nothing of what waits."""

    def wake(self) -> None:
        """The role has changed."""


class Ownership:
    """The role of this process for one handler; a `Lease` to pull, a `Member` of the presence."""

    def __init__(
        self,
        handler: str,
        connection: Connection,
        presence: Presence,
        succession: Succession,
        fence: Fence,
        work: Work,
        *,
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self.role: Role = "stands by"
        self.pin = ""
        self.times_owned = 0
        self._handler = handler
        self._connection = connection
        self._presence = presence
        self._succession = succession
        self._fence = fence
        self._work = work
        self._clock = clock
        self._sleep = sleep
        self._rival: Rival | None = None
        self._vacant_at = clock()
        self._listen_s = _LISTEN_S
        self._void: set[str] = set()
        self._confirmed = ""
        self._strange = ("", 0.0)
        self._audited_at = 0.0
        self._candidate_at = 0.0
        self._contested = False
        self._again = False
        self._stopped = False
        self._changed = asyncio.Event()
        self._poke = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = get_logger("yizhan.handlers", handler=handler)

    def start(self) -> None:
        """Begin to watch; the presence has begun already."""
        if self._presence.alone:
            self._listen_s = 0.0
        self._presence.join(self._handler, self)
        self._task = supervision.start(self._watch, name=f"ownership-{self._handler}")

    async def stop(self) -> None:
        """Watch no more; what is owned stays so until `resign`."""
        self._stopped = True
        await supervision.stop(self._task)

    async def resign(self) -> None:
        """Let another process take over at once; what was held has been given back."""
        if self.role == "owner":
            await self._succession.resign()
        self.role, self.pin = "stands by", ""
        self._presence.announce()

    # As a lease to pull.

    @property
    def may_pull(self) -> bool:
        """See `Lease`."""
        return self.role != "stands by" and not self._again

    async def allowed(self) -> None:
        """See `Lease`."""
        self._again = False
        while self.role == "stands by":
            self._changed.clear()
            await self._changed.wait()

    async def begin(self, client: PipeliningClient) -> None:
        """See `Lease`."""
        if self.pin and (await self._succession.look()).pin != self.pin:
            self.pin = ""
        await self._work.inherit(anew=self.role == "candidate")
        pending = await self._succession.begin(client, keep=self._work.keeps, void=self._void)
        self._work.expect(pending)

    def pinned(self, pin: str) -> None:
        """See `Lease`."""
        if pin == self.pin:
            return
        if self.role == "stands by" and self._rival is not None and self._rival.pin:
            return
        if self.role != "owner":  # a candidate, be it one that has just stepped back for another
            self.times_owned += 1
            self._log.info("handler_owned", worker=self._presence.worker)
        self._rival = None
        self.pin, self.role = pin, "owner"
        self._void.clear()
        self._presence.announce()

    def answered(self, asked_at: float) -> None:
        """See `Lease`."""
        self._fence.answered(asked_at)

    @property
    def holds(self) -> bool:
        """Whether this process, and no other, may run the handler: as its owner, or as the only
        candidate where nothing comes that would make one the owner."""
        settled = self._clock() - self._candidate_at >= _SETTLED_S
        return self.role == "owner" or (self.role == "candidate" and settled)

    def may_start(self) -> Coroutine[Any, Any, None] | None:
        """What to wait for until a run may start; None where one may now."""
        return None if self._is_safe() else self._until_safe()

    async def _until_safe(self) -> None:
        while not self._is_safe():
            await self._sleep(_GATE_S)

    def _is_safe(self) -> bool:
        safe = self.holds and not self._contested and self._fence.is_open
        return safe and self._connection.ready

    # As a member of the presence.

    @property
    def announced(self) -> str | None:
        """See `Member`."""
        return None if self.role == "stands by" else self.pin

    def heard(self, worker: str, pin: str) -> None:
        """See `Member`."""
        rival = Rival(worker, pin, self._clock())
        if self.role == "owner":
            self._contested = self._contested or bool(pin and pin != self.pin)
        elif self.role == "stands by":
            if pin or self._rival is None or not self._rival.pin or self._rival.worker == worker:
                self._rival = rival
            return
        elif yields(self._presence.worker, rival):
            self._rival = rival
            self._stand_by()
        self._poke.set()

    def left(self, worker: str) -> None:
        """See `Member`."""
        if self._rival is not None and self._rival.worker == worker:
            self._rival = None
            self._vacant_at, self._listen_s = self._clock(), 0.0
            self._poke.set()

    def gone(self) -> None:
        """See `Member`."""
        self._poke.set()

    async def release(self) -> bool:
        """See `Member`."""
        if self.role != "stands by":
            self._log.warning("handler_given_up", reason="another process asked for it")
            self._stand_by()
        return not self._work.busy

    # The watch.

    async def _watch(self) -> None:
        while True:
            self._poke.clear()
            with contextlib.suppress(BusError):
                await self._step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._poke.wait()

    async def _step(self) -> None:
        if self._contested:
            await self._settle_contest()
        if self.role != "stands by":
            await self._audit()
            return
        rival = self._rival
        self._presence.watch(self._handler, rival.worker if rival else None)
        if self._work.busy:
            return
        if rival is None:
            self._take_vacant()
            return
        deaths = self._presence.deaths(rival.worker)
        verdict = judge(rival, deaths=deaths, needed=1, now=self._clock())
        if verdict == "gone":
            await self._succeed(rival, deaths)
        elif verdict == "ask":
            await self._ask(rival)

    def _take_vacant(self) -> None:
        peers = self._presence.peers()
        ours = preferred(self._handler, peers) == self._presence.worker
        wait_s = self._listen_s + (0.0 if ours else VACANT_S)
        if self._clock() - self._vacant_at >= wait_s:
            self._become_candidate()

    async def _succeed(self, rival: Rival, deaths: int) -> None:
        """Take over from one that is gone, unless another does.

        On a cluster a ping has no responders, too, while the servers find each other anew: the
        verdict is taken twice, with an answer of the durable's leader in between.
        """
        seen = await self._succession.look()
        if self._succession.clustered and (self._confirmed != rival.worker or deaths < 2):
            self._confirmed = rival.worker
            return
        if seen.pin not in {"", rival.pin} and not self._is_strange(seen.pin):
            return
        name = rival.pin or seen.pin or f"{self._handler}-{rival.worker}"
        if await self._succession.claim(name) and self._is_still(rival):
            self._log.info("handler_taken_over", worker=self._presence.worker, gone=rival.worker)
            self._become_candidate(rival.pin, seen.pin)

    async def _ask(self, rival: Rival) -> None:
        """One that was silent for long may live: it lets go, or its fence is closed by now."""
        answer = await self._presence.ask_release(rival.worker, self._handler)
        if answer != "busy" and self._is_still(rival):
            self._become_candidate(rival.pin)

    def _is_still(self, rival: Rival) -> bool:
        now = self._rival
        return now is not None and (now.worker, now.pin) == (rival.worker, rival.pin)

    async def _audit(self) -> None:
        """A client may have been pinned and gone before it could announce it."""
        if self.pin or self._clock() - self._audited_at < _AUDIT_S:
            return
        self._audited_at = self._clock()
        pin = (await self._succession.look()).pin
        if pin and not self.pin and self._is_strange(pin) and await self._succession.claim(pin):
            self._void.add(pin)
            self._again = True
            self._work.wake()

    def _is_strange(self, pin: str) -> bool:
        """Whether a pin went unannounced for so long that its client must be gone."""
        known, since = self._strange
        if known != pin:
            self._strange = pin, self._clock()
            return False
        return self._clock() - since > _STRANGE_S

    async def _settle_contest(self) -> None:
        """Two owners: the server knows whom it serves."""
        seen = await self._succession.look()
        if seen.pin != self.pin:
            self._log.warning("handler_given_up", reason="another process runs it")
            self._stand_by()
        self._contested = False

    def _become_candidate(self, *void: str) -> None:
        self._void.update(filter(None, void))
        self._rival, self._confirmed = None, ""
        self._work.forget()
        self._presence.watch(self._handler, None)
        self.role, self._candidate_at = "candidate", self._clock()
        self._presence.announce()
        self._changed.set()

    def _stand_by(self) -> None:
        self.role, self.pin = "stands by", ""
        self._vacant_at, self._listen_s = self._clock(), _LISTEN_S
        self._work.forget()
        self._work.wake()
        self._presence.announce()
