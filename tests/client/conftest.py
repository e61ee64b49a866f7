"""A small platform on a real server: it records what it is asked and answers as told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.client.platform import PlatformAPI
from receiver.settings import APISettings
from receiver.web.server import bind, serving

Answering = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Asked:
    """One request as the server got it."""

    method: str
    path: str
    raw_query: bytes
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class Platform:
    """Answers every request by `answering`; `url` is its base URL."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answering: Answering | None = None

    def reply(self, data: Any, **envelope: Any) -> None:
        """From now on: HTTP 200 and an envelope round `data`."""
        whole = {"requestId": "r-1", "code": 200, "developId": 7, "msg": "ok", "data": data}
        self.send(json.dumps(whole | envelope))

    def send(
        self, body: str | bytes, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """From now on: this answer."""

        async def answering(_: Request) -> Response:
            return Response(body, status, headers, media_type="application/json")

        self.answering = answering

    async def handle(self, request: Request) -> Response:
        """The one route."""
        self.asked.append(
            Asked(
                request.method,
                request.scope["path"],
                request.scope["query_string"],
                dict(request.query_params),
                dict(request.headers),
                await request.body(),
            )
        )
        assert self.answering is not None
        return await self.answering(request)


@pytest.fixture(scope="module")
async def listening() -> AsyncIterator[Platform]:
    """One server a module: starting and stopping it takes longer than a test."""
    standing_in = Platform()
    route = Route("/{path:path}", standing_in.handle, methods=["GET", "POST"])
    async with serving(Starlette(routes=[route]), bind("127.0.0.1", 0)) as url:
        standing_in.url = url
        yield standing_in


@pytest.fixture
def platform(listening: Platform) -> Platform:
    """The platform, as if nobody had asked it anything yet."""
    listening.asked.clear()
    listening.answering = None
    return listening


def settings_of(url: str, **values: Any) -> APISettings:
    """Settings that call `url` at a pace no test notices, each call once."""
    known = {
        "base_url": url,
        "access_key": "AK",
        "secret": SecretStr("s3cret"),
        "user_id": "2100000000001",
        "rate_per_s": 10_000,
        "tries": 1,
    }
    return APISettings(**(known | values))


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[PlatformAPI]:
    """The client under test."""
    async with PlatformAPI.open(settings_of(platform.url)) as opened:
        yield opened
