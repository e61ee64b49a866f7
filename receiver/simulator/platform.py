"""The simulated platform as one object: it pushes orders' lives and serves its API."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from receiver.simulator.api import SimulatedAPI
from receiver.simulator.clock import Clock
from receiver.simulator.envelope import (
    Form,
    envelope,
    envelope_of_global,
    message_of_aop,
    type_name,
)
from receiver.simulator.faults import Faults
from receiver.simulator.life import CHANNELS, Course, live
from receiver.simulator.messages import TaobaoNames
from receiver.simulator.orders import OrderBook
from receiver.simulator.pusher import CONNECTIONS, Counts, Push, Pusher
from receiver.simulator.serving import served
from receiver.simulator.signing import Account
from receiver.simulator.single import Singles
from receiver.simulator.trade import Notice
from receiver.simulator.world import World

_SHORTEST_STEP_S: Final = 0.05
_FIRST_MESSAGE_ID: Final = 100_000_000_001


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """How the platform behaves.

    `speed` is virtual seconds in a real one, for the half hours between retries. Rates are shares
    of 1. `step_s` lies between two callbacks of an order, `interval_s` between two orders' starts,
    both in real seconds. `concurrency` bounds the orders that live at once, `limit_waiting` the
    callbacks that wait for a retry: beyond it, lives stand still. `api_account` is what the API
    wants to be called with, `account` where it is None; `api_faults` make its calls fail.

    `sellers_act`: what is ordered by calls is shipped and delivered, and its refunds are agreed to,
    a step every `step_s`; else only as `SimulatedPlatform.world.act` is called. `cancel_after_s` is
    how old an order of 1688 must be to be cancelled (docs/platform/api.md#limits). `invents`: the
    API answers for orders that it did not push, as callbacks of another process name them; else it
    refuses them.
    """

    callback_url: str
    account: Account
    seed: int = 1
    speed: float = 1.0
    duplicate_rate: float = 0.0
    disorder_rate: float = 0.0
    step_s: float = 0.0
    interval_s: float = 0.0
    concurrency: int = 16
    limit_waiting: int = 10_000
    retry_same_bytes: bool = True
    api_account: Account | None = None
    api_faults: Faults = field(default_factory=Faults)
    sellers_act: bool = True
    invents: bool = False
    cancel_after_s: float = 10.0
    taobao_names: TaobaoNames = field(default_factory=TaobaoNames)
    journal: Path | None = None

    def __post_init__(self) -> None:
        for name in ("duplicate_rate", "disorder_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1")
        for name in ("concurrency", "limit_waiting"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")


class SimulatedPlatform:
    """Enter it to serve the API at `api_url`; `run` pushes.

    `on_push` is given the message type and whether it was acknowledged, for each push that ended.
    """

    def __init__(
        self,
        config: PlatformConfig,
        *,
        on_push: Callable[[str, bool], None] = lambda _type, _acknowledged: None,
    ) -> None:
        self.counts = Counts()
        self.book = OrderBook(config.seed)
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.world = World(
            self.book,
            names=config.taobao_names,
            chance=random.Random(f"{config.seed} calls"),  # noqa: S311 - a simulation
            notify=self._notify,
            dialect=config.account.dialect,
            cancel_after_s=config.cancel_after_s,
        )
        if config.invents:
            self.book.invent = Singles(self.book, self.world.refunds, config.taobao_names).invent
        account = config.api_account or config.account
        self.api = SimulatedAPI(self.world, account, faults=config.api_faults)
        self.api_url = ""
        self._config = config
        self._numbers = itertools.count()
        self._message_ids = itertools.count(_FIRST_MESSAGE_ID)
        self._on_push = on_push
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._pusher = await self._opened_pusher(stack)
            self.api_url = await stack.enter_async_context(served(self.api.app()))
            await stack.enter_async_context(_running(self._push_what_calls_did()))
            if self._config.sellers_act:
                await stack.enter_async_context(_running(self._let_sellers_act()))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _opened_pusher(self, stack: contextlib.AsyncExitStack) -> Pusher:
        config = self._config
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        is_plain = config.callback_url.startswith("http:")
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True  # no authorities
        opened = httpx2.AsyncClient(trust_env=False, verify=verify, limits=limits)
        http = await stack.enter_async_context(opened)
        journal = None
        if config.journal is not None:
            journal = stack.enter_context(config.journal.open("a", encoding="utf-8"))
        return Pusher(
            config.callback_url,
            config.account,
            http,
            clock=Clock(config.speed),
            retry_same_bytes=config.retry_same_bytes,
            counts=self.counts,
            journal=journal,
        )

    async def run(self, *, orders: int | None) -> Counts:
        """Live through `orders` orders (None: until cancelled) and push all that happens.

        Ends when each push is acknowledged or given up.
        """
        living = asyncio.Semaphore(self._config.concurrency)
        async with asyncio.TaskGroup() as group:
            retries = _Retries(group, self._again, self._config.limit_waiting)
            for number in itertools.islice(self._numbers, orders):
                await living.acquire()
                task = group.create_task(self._live(retries, number), name=f"order-{number}")
                task.add_done_callback(lambda _: living.release())
                await asyncio.sleep(self._config.interval_s)
        return self.counts

    async def console_check(self, method: str = "POST", body: bytes = b"{}") -> int:
        """Call the callback URL as the console's "verify" might; gives the status."""
        return await self._pusher.console_check(method, body)

    async def _live(self, retries: _Retries, number: int) -> None:
        """Push one order's life; a disordered push is overtaken by its successor."""
        chance = random.Random(f"{self._config.seed} {number}")  # noqa: S311 - a simulation
        held: Push | None = None
        course = Course.numbered(number, self._config.account.dialect)
        names, refunds = self._config.taobao_names, self.world.refunds
        for notice in live(self.book, course, names, chance, refunds):
            push = self._made(notice, chance)
            if held is None and chance.random() < self._config.disorder_rate:
                held = push
                continue
            await self._push(retries, push)
            if held is not None:
                await self._push(retries, held)
                held = None
            await asyncio.sleep(self._config.step_s)
        if held is not None:
            await self._push(retries, held)

    def _notify(self, notice: Notice) -> None:
        """What the account gets no callbacks of is not pushed."""
        if notice.channel in CHANNELS[self._config.account.dialect]:
            self._notices.put_nowait(notice)

    async def _push_what_calls_did(self) -> None:
        chance = random.Random(f"{self._config.seed} pushes")  # noqa: S311 - a simulation
        async with asyncio.TaskGroup() as group:
            retries = _Retries(group, self._again, self._config.limit_waiting)
            while True:
                notice = await self._notices.get()
                await self._push(retries, self._made(notice, chance))

    async def _let_sellers_act(self) -> None:
        while True:
            await asyncio.sleep(max(self._config.step_s, _SHORTEST_STEP_S))
            self.world.act()

    def _made(self, notice: Notice, chance: random.Random) -> Push:
        now_ms, dialect = int(time.time() * 1000), self._config.account.dialect
        name, form = notice.message_type, Form.drawn(chance)
        if dialect == "aop":
            body = message_of_aop(notice, next(self._message_ids), born_at_ms=now_ms)
        elif dialect == "global":
            body = envelope_of_global(notice, pushed_at_ms=now_ms)
        else:
            name, body = type_name(notice, form), envelope(notice, form, pushed_at_ms=now_ms)
        return Push(name, body, twice=chance.random() < self._config.duplicate_rate)

    async def _push(self, retries: _Retries, push: Push) -> None:
        """The first try is waited for; the retries are not, as life goes on."""
        acknowledged = await self._pusher.first(push)
        if acknowledged:
            self._on_push(push.message_type, acknowledged)
        else:
            await retries.start(push)

    async def _again(self, push: Push) -> None:
        self._on_push(push.message_type, await self._pusher.again(push))


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Work beside the rest; leaving ends it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Retries:
    """Callbacks that wait for their retries while life goes on, at most `limit` of them."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        again: Callable[[Push], Coroutine[Any, Any, None]],
        limit: int,
    ) -> None:
        self._group = group
        self._again = again
        self._free = asyncio.Semaphore(limit)

    async def start(self, push: Push) -> None:
        """Returns as soon as there is room, not when the retries end."""
        await self._free.acquire()
        task = self._group.create_task(self._again(push), name="retries")
        task.add_done_callback(lambda _: self._free.release())
