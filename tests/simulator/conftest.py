"""A receiver that notes what comes in and answers as told, on a real uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.simulator.platform import PlatformConfig
from receiver.simulator.signing import Account
from receiver.web.server import bind, serving

ACCOUNT = Account("key", "secret")


class Receiver:
    """`answer` gives the status by the number of the delivery and by its body; a body that `hangs`
    gets none until the end."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[int, bytes], int] = lambda _number, _body: 200
        self.hangs: Callable[[bytes], bool] = lambda _body: False
        self.ended = asyncio.Event()
        self.url = ""

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        self.deliveries.append((dict(request.headers), body))
        number = len(self.deliveries)
        if self.hangs(body):
            await self.ended.wait()
        return Response(status_code=self.answer(number, body))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.deliveries]

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["messageType"] for body in self.bodies]

    def config(self, **options: Any) -> PlatformConfig:
        """A platform that pushes here; its retries come after 0.1 s, lest a slow machine fail."""
        return PlatformConfig(self.url, ACCOUNT, **({"speed": 18_000.0} | options))


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    noted = Receiver()
    routes = [Route("/", noted.__call__, methods=["GET", "HEAD", "POST"])]
    async with serving(Starlette(routes=routes), bind("127.0.0.1", 0)) as url:
        noted.url = url
        yield noted
        noted.ended.set()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as noted:
        yield noted


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, verify=False) as opened:
        yield opened
