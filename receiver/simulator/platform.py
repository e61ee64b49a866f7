"""The simulated platform as one object: it pushes orders' lives and serves its API."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import uvicorn

from receiver.simulator.api import SimulatedAPI
from receiver.simulator.clock import Clock
from receiver.simulator.life import FATES, Said, live
from receiver.simulator.messages import TaobaoNames, envelope
from receiver.simulator.orders import Channel, OrderBook
from receiver.simulator.pusher import Account, Counts, Pusher

_CHANNELS: tuple[Channel, ...] = ("1688", "taobao")


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """How the platform behaves.

    `speed` is virtual seconds in a real one, for the half hours between retries. Rates are shares
    of 1. `step_s` lies between two callbacks of an order, `interval_s` between two orders' starts,
    both in real seconds. `concurrency` bounds the orders that live at once.
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
    taobao_names: TaobaoNames = field(default_factory=TaobaoNames)
    journal: Path | None = None


class SimulatedPlatform:
    """Enter it to serve the API at `api_url`; `run` pushes.

    `on_push` is told the message type and whether it was acknowledged, for each push that ended.
    """

    def __init__(
        self,
        config: PlatformConfig,
        *,
        on_push: Callable[[str, bool], None] = lambda _type, _acknowledged: None,
    ) -> None:
        self.counts = Counts()
        self.book = OrderBook(config.seed)
        self.api = SimulatedAPI(self.book, config.account)
        self.api_url = ""
        self._config = config
        self._chance = random.Random(f"delivery {config.seed}")  # noqa: S311 - a simulation
        self._on_push = on_push
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._http = await self._stack.enter_async_context(
            httpx2.AsyncClient(trust_env=False, limits=httpx2.Limits(max_connections=256))
        )
        self.api_url = await self._stack.enter_async_context(_served(self.api))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def run(self, *, orders: int | None) -> Counts:
        """Live through `orders` orders (None: until cancelled) and push all that happens."""
        with contextlib.ExitStack() as stack:
            journal = None
            if self._config.journal is not None:
                journal = stack.enter_context(self._config.journal.open("a", encoding="utf-8"))
            pusher = Pusher(
                self._config.callback_url,
                self._config.account,
                self._http,
                clock=Clock(self._config.speed),
                randomness=self._chance,
                duplicate_rate=self._config.duplicate_rate,
                counts=self.counts,
                journal=journal,
            )
            await self._run(pusher, orders)
        return self.counts

    async def _run(self, pusher: Pusher, orders: int | None) -> None:
        free = asyncio.Semaphore(self._config.concurrency)
        async with asyncio.TaskGroup() as group:
            number = 0
            while orders is None or number < orders:
                await free.acquire()
                task = group.create_task(self._live(pusher, number), name=f"order-{number}")
                task.add_done_callback(lambda _: free.release())
                number += 1
                await asyncio.sleep(self._config.interval_s)

    async def _live(self, pusher: Pusher, number: int) -> None:
        """Push one order's life; a disordered push is overtaken by its successor."""
        channel = _CHANNELS[number % len(_CHANNELS)]
        fate = FATES[(number // len(_CHANNELS)) % len(FATES)]
        held: list[tuple[str, bytes]] = []
        for said in live(self.book, channel, fate, self._config.taobao_names):
            current = (said.message_type, self._enveloped(said))
            if not held and self._chance.random() < self._config.disorder_rate:
                held.append(current)
                continue
            await self._push(pusher, *current)
            while held:
                await self._push(pusher, *held.pop())
            await asyncio.sleep(self._config.step_s)
        while held:
            await self._push(pusher, *held.pop())

    async def _push(self, pusher: Pusher, message_type: str, body: bytes) -> None:
        self._on_push(message_type, await pusher.push(message_type, body))

    def _enveloped(self, said: Said) -> bytes:
        """The forms the pages allow, by chance: body as text or object, no platform, no time."""
        chance = self._chance.random
        return envelope(
            said.message_type,
            said.body,
            channel=said.channel,
            pushed_at_ms=None if chance() < 0.05 else int(time.time() * 1000),
            as_text=said.ka and chance() < 0.8,
            with_platform=chance() < 0.9,
        )


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals belong to the process around us."""
        yield


@contextlib.asynccontextmanager
async def _served(api: SimulatedAPI) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(
        uvicorn.Config(api.app(), loop="none", lifespan="off", log_config=None, access_log=False)
    )
    task = asyncio.create_task(server.serve(sockets=[listener]), name="simulated-api")
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
