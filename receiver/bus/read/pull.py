"""Pulling from one durable, for as long as the process lives and may.

Messages are handed on as they come, never more than there is room for. A lost connection, a
restarted server, a new leader, a deleted consumer or stream end a session; the next one sets the
consumer up again, and gives back what was on its way. Knows nothing of handlers and acknowledges
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import GROUP, ConsumerPlan, consumer_info, ensure_consumer
from receiver.bus.read.pull_request import PIN, Kind, PullRequest, classify
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger

_HEARTBEATS_A_PULL: Final = 3
"""Short enough for the server to see a pull well within `PIN_S`, or it pins another client."""
_HEARTBEATS_MISSED: Final = 3
_LOOK_S: Final = 0.5
_RETRY_WAIT_S: Final = 0.25
_ANSWER_S: Final = 2.0
_SET_UP_S: Final = 5.0
"""How long a consumer is taken to be as it was set up."""
_GATHER_S: Final = 0.05
"""How long to wait for much room before little will do: few requests bring many messages each."""
_KEEP_PIN_S: Final = 2.0
"""How often to pull without room."""


class Lease(Protocol):
    """Who of several processes may pull; see `receiver.worker.ownership`."""

    @property
    def may_pull(self) -> bool:
        """Whether this process may pull now."""

    @property
    def pin(self) -> str:
        """The pin that the server gave us, empty without one."""

    async def allowed(self) -> None:
        """Return once this process may pull."""

    async def begin(self, client: PipeliningClient) -> None:
        """A session begins and nothing is pulled yet; raises `BusError`."""

    def pinned(self, pin: str) -> None:
        """A message came under this pin."""

    def answered(self, asked_at: float) -> None:
        """The server answered what was asked then, by the loop's clock."""


class _GivenUpError(Exception):
    """Another process may pull, or will."""


@dataclass(slots=True)
class _Pull:
    """The one pull request under way: how many messages it may still bring."""

    wanted: int = 0
    lost: str = ""
    heard_at: float = 0.0
    asked_at: float = 0.0


class PullLoop:
    """Pulls messages and gives each to `deliver`; `room` says how many more may come now, and with
    room for `much` the next are asked for at once.

    Call `made_room` when there is more room, `wake` when the lease has changed. The server sends a
    sign of life each `heartbeat_s`.
    """

    def __init__(
        self,
        connection: Connection,
        plan: ConsumerPlan,
        lease: Lease,
        *,
        deliver: Callable[[Msg], Awaitable[None]],
        room: Callable[[], int],
        much: int,
        heartbeat_s: float,
        sleep: Sleep,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._lease = lease
        self._deliver = deliver
        self._room = room
        self._much = much
        self._wanted_room = 0
        self._heartbeat_s = heartbeat_s
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._inbox = ""
        self._pull = _Pull()
        self._told = ""
        self._paused = ""
        self._set_up_at = 0.0
        self._log = get_logger("yizhan.handlers", consumer=plan.durable)

    def wake(self) -> None:
        """There may be no lease any more."""
        self._wake.set()

    def made_room(self) -> None:
        """There is room for one more."""
        if 0 < self._wanted_room <= self._room():
            self._wake.set()

    async def run(self) -> None:
        """Pull until cancelled; what was under way is then still delivered."""
        while True:
            await self._lease.allowed()
            try:
                await self._session()
            except _GivenUpError:
                continue
            except (BusError, ConfigurationError, NatsError, OSError) as error:
                self._tell(error)
            await self._sleep(_RETRY_WAIT_S)

    async def settle(self) -> None:
        """Return once the server has had the acknowledgements sent so far, or is away."""
        with contextlib.suppress(BusError):
            await consumer_info(self._connection.client, self._plan.stream, self._plan.durable)

    async def _session(self) -> None:
        client = self._connection.client
        await self._set_up(client)
        async with self._subscribed(client):
            reconnects = client.stats["reconnects"]
            await self._lease.begin(client)
            while True:
                if self._is_due():
                    await self._set_up(client)
                await self._request(client)
                while self._pull.wanted > 0:
                    await self._look()
                    await self._look_again(client)
                    if client.stats["reconnects"] != reconnects or not client.is_connected:
                        raise BusError("the connection was lost")
                await self._until_room()

    async def _until_room(self) -> None:
        """For much, after a moment for one more; or until the pin is to be kept without any."""
        self._wanted_room = self._much
        if self._room() < self._much:
            await self._look(_GATHER_S)
        self._wanted_room = 1
        while self._room() < 1 and _now() - self._pull.asked_at < _KEEP_PIN_S:
            await self._look()
        self._wanted_room = 0

    async def _set_up(self, client: PipeliningClient) -> None:
        """Somebody else may have changed the consumer meanwhile; raises as `ensure_consumer`."""
        pause = await ensure_consumer(client, self._plan, timeout_s=_ANSWER_S)
        if pause and pause != self._paused:
            self._log.warning("consumer_paused", warning=pause)
        self._paused = pause
        self._set_up_at = _now()

    def _is_due(self) -> bool:
        return _now() - self._set_up_at > _SET_UP_S

    async def _look_again(self, client: PipeliningClient) -> None:
        """While a pull waits, too: it would bring nothing, in silence. A server that does not
        answer is for the heartbeat to find.
        """
        if self._is_due():
            self._set_up_at = _now()
            with contextlib.suppress(BusError):
                await self._set_up(client)

    @contextlib.asynccontextmanager
    async def _subscribed(self, client: PipeliningClient) -> AsyncIterator[None]:
        """An inbox of this session alone: what came to an older one counts for nothing, since it
        was given back."""
        inbox = self._inbox = client.new_inbox()

        async def receive(message: Msg) -> None:
            if self._inbox == inbox:
                await self._receive(message)

        subscription = await client.subscribe(inbox, cb=receive)
        try:
            yield
        except asyncio.CancelledError:
            with contextlib.suppress(BusError, NatsError, OSError):
                await self._drain(client, subscription)
            raise
        finally:
            self._inbox = ""
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _drain(self, client: PipeliningClient, subscription: Subscription) -> None:
        """Take in what the server has sent already: unread, it would wait for the ack wait.

        Asks the server first whether it answers, because nats-py cannot bear a drain or a flush
        that times out: the late PONG finds a cancelled future and ends its reader for good.
        """
        await consumer_info(client, self._plan.stream, self._plan.durable)
        await subscription.drain()  # type: ignore[no-untyped-call] # nats-py left it so

    async def _request(self, client: PipeliningClient) -> None:
        """Ask for what there is room for; without room for a message of one byte, of which there is
        none, so that the server sees that its pinned client is still there."""
        room = self._room()
        self._pull = _Pull(wanted=max(1, room), heard_at=_now(), asked_at=_now())
        request = PullRequest(
            self._pull.wanted,
            max_bytes=0 if room > 0 else 1,
            expires_s=_HEARTBEATS_A_PULL * self._heartbeat_s,
            heartbeat_s=self._heartbeat_s,
            group=GROUP,
            pin=self._lease.pin,
        )
        subject = request.subject(self._plan.stream, self._plan.durable)
        await client.publish(subject, request.body(), reply=self._inbox)

    async def _look(self, wait_s: float = _LOOK_S) -> None:
        """Wait until something happened, at most `wait_s`; raises `BusError` if all is lost."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        if not self._lease.may_pull:
            raise _GivenUpError
        if self._pull.lost:
            raise BusError(self._pull.lost)
        silence_s = _now() - self._pull.heard_at
        if self._pull.wanted > 0 and silence_s > _HEARTBEATS_MISSED * self._heartbeat_s:
            raise BusError("no heartbeat")

    async def _receive(self, message: Msg) -> None:
        self._pull.heard_at = _now()
        self._lease.answered(self._pull.asked_at)
        answer = classify(message)
        if answer.kind is Kind.BROKEN:
            self._pull.lost = answer.reason
        else:
            self._told = ""
        if answer.kind is Kind.ENDED:
            self._pull.wanted = 0
        elif answer.kind is Kind.DATA:
            self._pull.wanted -= 1
            self._lease.pinned((message.headers or {}).get(PIN, ""))
            if self._lease.may_pull:  # else whoever may gives it back, and gets it
                await self._deliver(message)
        if self._pull.wanted <= 0 or self._pull.lost:
            self._wake.set()

    def _tell(self, error: Exception) -> None:
        """Once for each cause: NATS away for an hour is no reason for 14,400 lines."""
        text = f"{type(error).__name__}: {error}"
        if text == self._told:
            return
        self._told = text
        if isinstance(error, ConfigurationError):
            self._log.error("consumer_contradicts_handler", error=str(error))
        elif self._connection.ready:  # so it is not NATS that is away, which is logged already
            self._log.warning("consumer_interrupted", error=text)
        else:
            self._log.info("consumer_interrupted", error=text)


def _now() -> float:
    return asyncio.get_running_loop().time()
