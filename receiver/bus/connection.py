"""One connection to NATS that keeps itself up, with the streams set up behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeVar

from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from receiver.bus.client import HANG_UP_S, PipeliningClient, hang_up
from receiver.bus.credentials import ConnectOptions, servers, without_credentials
from receiver.bus.fitness import check_version, payload_warning
from receiver.bus.refusals import Refusals
from receiver.bus.rights import Right, allowed, check_rights, missing_rights
from receiver.bus.stream_plan import StreamPlan
from receiver.bus.streams import StreamState, ensure_stream
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import PATIENCE_S, cancel_all

_CONNECT_TIMEOUT_S: Final = 2.0
_RECONNECT_WAIT_S: Final = 0.25
_CONTRADICTION_RETRY_S: Final = 5.0
"""How often to look whether a stream still contradicts the settings."""
_LOOK_S: Final = 2.0
"""How often to look whether one has come to: callbacks are stored on it for no longer than that."""
_ANSWER_S: Final = 5.0
_STOP_S: Final = 1.0
_PING_S: Final = 2
_UNANSWERED_PINGS: Final = 2
"""A server that is frozen, or behind a cut, is left for another one after some 6 seconds."""
_MAX_PENDING_BYTES: Final = 64 * 1024 * 1024

AnswerT = TypeVar("AnswerT")
Sleep = Callable[[float], Awaitable[Any]]


class Connection:
    """Connects in the background for as long as it takes, and says whether the log is ready.

    `url` is one URL or several, with commas between, of the servers of one cluster.

    `start` returns once connected, or after `patience_s` without: the process then lives on and
    answers 503 until NATS is there. A stream that contradicts the settings, or what the server
    refuses for good, raises `ConfigurationError` from `start`; found later, it keeps `ready` False
    until it is corrected. The streams are looked at every two seconds. `body_bytes` is the largest
    body that is sent, `rights` what the server has to allow us. `max_payload_bytes` is what a
    message may take, headers included, by the server's last word; 0 before there was one.
    """

    def __init__(
        self,
        url: str,
        plans: Sequence[StreamPlan],
        *,
        name: str = "yizhan",
        access: ConnectOptions | None = None,
        body_bytes: int = 0,
        rights: Sequence[Right] = (),
        contradiction_retry_s: float = _CONTRADICTION_RETRY_S,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.url = url
        self._plans = plans
        self._name = name
        self._body_bytes = body_bytes
        self._rights = rights
        self._contradiction_retry_s = contradiction_retry_s
        self._access = (access or ConnectOptions()).options()
        self._refusals = Refusals()
        self._sleep = sleep
        self._client: PipeliningClient | None = None
        self._streams_ready = False
        self._replicated = False
        self._started = False
        self._stopping = False
        self._contradiction = ""
        self._warnings: Sequence[str] = ()
        self.max_payload_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._on_reconnect: list[Callable[[], None]] = []
        self._log = get_logger("yizhan.bus")

    async def start(self, *, patience_s: float = 2.0) -> bool:
        """Begin to connect; True once the log is ready, False where NATS is still away."""
        self._task = asyncio.create_task(self._connect(), name="nats-connect")
        done, _ = await asyncio.wait({self._task}, timeout=patience_s)
        if done:
            await self._task
        else:
            if not self._refusals.words:  # which were logged as they came
                self._log.warning("nats_away", url=without_credentials(self.url))
            self._task.add_done_callback(_retrieve)
        self._started = True
        self._watch = asyncio.create_task(self._keep_looking(), name="streams-watch")
        return bool(done)

    async def stop(self, *, within_s: float = 3 * _STOP_S) -> None:
        """Send what is still buffered and close; a server that takes too long is hung up on."""
        self._stopping = True
        self._streams_ready = False
        try:
            tasks = {task for task in (self._watch, self._task) if task is not None}
            await cancel_all(tasks, patience_s=min(PATIENCE_S, within_s / 3))
        finally:
            if self._client is not None:
                await hang_up(self._client, within_s=within_s / 3)

    def on_reconnect(self, notify: Callable[[], None]) -> None:
        """Have `notify` called whenever the log may hold less than before: the connection was lost
        and is back, or a stream was missing and is made anew.
        """
        self._on_reconnect.append(notify)

    @property
    def stream(self) -> str:
        """The name of the first stream: that of callbacks and events."""
        return self._plans[0].name

    @property
    def window_s(self) -> float:
        """For how many seconds, at least, the first stream knows an id again."""
        return self._plans[0].duplicate_window.total_seconds()

    @property
    def replicated(self) -> bool:
        """Whether several servers hold the first stream, as it was when it was last looked at."""
        return self._replicated

    @property
    def refused(self) -> bool:
        """Whether a server refused our credentials."""
        return self._refusals.credentials

    @property
    def why_not(self) -> str:
        """Why nothing can be stored now, as far as this side knows; the server's words if any."""
        if self._contradiction or not self._refusals.words:
            return self._contradiction or "NATS is away"
        return f"NATS refuses: {self._refusals.words}"

    @property
    def refusal(self) -> str:
        """What the server refused last, in its words; empty where it refused nothing."""
        return self._refusals.words

    @property
    def warnings(self) -> Sequence[str]:
        """What an operator should know of the streams' bounds, a sentence each."""
        return self._warnings

    @property
    def ready(self) -> bool:
        """Whether a message could be stored now, as far as this side knows."""
        return self._client is not None and self._client.is_connected and self._streams_ready

    @property
    def client(self) -> PipeliningClient:
        """The connected client; raises `BusError` while NATS is away."""
        if self._client is None or not self.ready:
            error = BusError(self.why_not)
            error.add_note(without_credentials(self.url))  # no part of what is served as the reason
            raise error
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream on the connected client; raises `BusError` while NATS is away."""
        return self.client.jetstream()

    def widen(self, window: timedelta) -> bool:
        """Plan for duplicate windows of `window` at least; True where that is longer than before.

        The streams get them when they are next set up: by `probe`, or when NATS is back.
        """
        wider = [
            replace(plan, duplicate_window=max(plan.duplicate_window, window))
            for plan in self._plans
        ]
        longer = wider != list(self._plans)
        self._plans = wider
        return longer

    async def probe(self, *, timeout_s: float = 1.0) -> None:
        """Ask the stream itself; raises `BusError` where it could not take a message now."""
        client = self.client
        try:
            async with asyncio.timeout(timeout_s):
                await self._ensure(client)
        except TimeoutError as error:
            raise BusError("the stream does not answer in time") from error
        except ConfigurationError as error:
            self._begin_again()
            raise BusError(str(error)) from error

    async def _connect(self) -> None:
        while not self._stopping:
            try:
                self._client = await self._dial()
                await self._ensure_streams()
                self._streams_ready = not self._stopping
            except BusError as error:
                self._log.debug("nats_connect_failed", error=str(error))
                await self._sleep(_RECONNECT_WAIT_S)
            except ConfigurationError:
                if not self._started:
                    raise
                await self._sleep(self._contradiction_retry_s)
            else:
                self._log.info("nats_connected", url=without_credentials(self.url))
                return

    async def _dial(self) -> PipeliningClient:
        if self._client is not None and self._client.is_connected:
            return self._client
        client = PipeliningClient()
        options: dict[str, Any] = {  # seconds may be fractions, whatever the library's types say
            "name": self._name,
            "ping_interval": _PING_S,
            "max_outstanding_pings": _UNANSWERED_PINGS,
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _RECONNECT_WAIT_S,
            "pending_size": _MAX_PENDING_BYTES,
            "allow_reconnect": True,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnected,
            "reconnected_cb": self._on_reconnected,
            "closed_cb": self._on_closed,
            **self._access,
        }
        try:
            await client.connect(servers(self.url), **options)
            await client.listen()
        except (NatsError, OSError, TimeoutError) as error:
            raise BusError(f"cannot connect: {type(error).__name__}") from error
        except asyncio.CancelledError:
            await cancel_all(client.abort(), patience_s=HANG_UP_S)
            raise
        return client

    async def _ensure_streams(self) -> None:
        """On a new connection: what we may do is looked at, too."""
        assert self._client is not None
        await self._ensure(self._client, permissions=True)

    async def _ensure(self, client: PipeliningClient, *, permissions: bool = False) -> None:
        try:
            check_version(client)
            if permissions:
                check_rights(await self.missing(client, self._rights))
            states = await self.allowed(client, self._streams_of(client))
        except ConfigurationError as error:
            if str(error) != self._contradiction:
                self._log.error("stream_contradicts_settings", error=str(error))
            self._contradiction = str(error)
            raise
        self._contradiction = ""
        if permissions:
            self._refusals.words = ""
        self._replicated = any(state.replicas > 1 for state in states[:1])
        self.max_payload_bytes = client.max_payload
        payload = payload_warning(client, self._body_bytes)
        self._warn((*filter(None, [payload]), *(w for state in states for w in state.warnings)))
        if any(state.created for state in states):
            self._notify()  # what an earlier stream of that name held is gone

    async def allowed(
        self, client: PipeliningClient, asked: Coroutine[Any, Any, AnswerT]
    ) -> AnswerT:
        """See `receiver.bus.rights.allowed`."""
        return await allowed(client, asked, self._refusals, self._rights)

    async def missing(self, client: PipeliningClient, rights: Iterable[Right]) -> Sequence[Right]:
        """See `missing_rights`."""
        return await missing_rights(client, self._refusals, rights)

    async def _streams_of(self, client: PipeliningClient) -> list[StreamState]:
        clustered = client.is_clustered
        return [await ensure_stream(client, plan, clustered=clustered) for plan in self._plans]

    def _warn(self, warnings: Sequence[str]) -> None:
        for warning in warnings:
            if warning not in self._warnings:
                self._log.warning("stream_bounds", warning=warning)
        self._warnings = warnings

    async def _keep_looking(self) -> None:
        """Whatever becomes of the streams while we run: nothing is stored on one that loses it."""
        while True:
            await self._sleep(_LOOK_S)
            if not self.ready:
                continue
            with contextlib.suppress(BusError):  # a server that is slow shows in the publishing
                await self.probe(timeout_s=_ANSWER_S)

    async def _on_error(self, error: Exception) -> None:
        self._log.debug("nats_error", error=type(error).__name__)
        if self._refusals.note(error):
            url, words = without_credentials(self.url), self._refusals.words
            self._log.error("nats_refuses", url=url, reason=words)

    async def _on_disconnected(self) -> None:
        if self._streams_ready:
            self._log.warning("nats_disconnected")

    async def _on_closed(self) -> None:
        """Dial anew: the client gives up for good when the server reports an error to it."""
        if self._stopping:
            return
        self._log.warning("nats_closed_the_connection")
        self._begin_again()

    def _begin_again(self) -> None:
        self._streams_ready = False
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._connect_again(), name="nats-connect")
            self._task.add_done_callback(_retrieve)

    async def _connect_again(self) -> None:
        await self._connect()
        self._notify()

    def _notify(self) -> None:
        for notify in self._on_reconnect:
            notify()

    async def _on_reconnected(self) -> None:
        self._log.info("nats_reconnected")
        self._notify()
        try:
            await self._ensure_streams()
            self._streams_ready = not self._stopping
        except ConfigurationError:
            self._begin_again()
        except BusError as error:
            self._log.warning("streams_not_checked", error=str(error))


def _retrieve(task: asyncio.Task[None]) -> None:
    """A failure found after `start` returned was logged where it arose."""
    if not task.cancelled():
        task.exception()
