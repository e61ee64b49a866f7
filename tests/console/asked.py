"""A tiny application behind the doors, and requests to it as browsers and programs send them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from receiver.console.doors import guard
from receiver.settings import Settings

TOKEN = "token-of-the-one-who-may-all"
OTHER = "token-of-the-one-who-looks-on"
SECRET = "secret-of-the-proxy"
HERE, AWAY, PROXY = "127.0.0.1", "192.0.2.7", "10.0.0.5"
SAME = {"sec-fetch-site": "same-origin"}


def cheap_hash(token: str) -> str:
    """The hash of a token as the settings have it, of a cost that tests can pay."""
    salt = b"sixteen bytes ok"
    key = hashlib.scrypt(token.encode(), salt=salt, n=16, r=1, p=1, dklen=32)
    text = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (salt, key)]
    return f"scrypt:16:1:1:{text[0]}:{text[1]}"


USERS = [
    {"name": "mei", "role": "admin", "personal": True, "token_hash": cheap_hash(TOKEN)},
    {"name": "li.wei@shop", "token_hash": cheap_hash(OTHER)},
]


def console(**chosen: Any) -> Settings:
    return Settings.model_validate({"console": chosen})


def by_token(**chosen: Any) -> Settings:
    return console(auth="token", users=USERS, **chosen)


def by_proxy() -> Settings:
    users = [{"name": "mei", "role": "operator"}, {"name": "王伟"}]
    return console(auth="proxy", users=users, trusted_proxies=[PROXY], proxy_secret=SECRET)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what a page would see; its own headers are bad on purpose."""
    request = Request(scope, receive)
    viewer = scope["state"].get("viewer")
    seen = {
        "viewer": viewer and [viewer.name, viewer.role, viewer.personal],
        "nonce": scope["state"]["nonce"],
        "path": scope["path"],
        "root": scope.get("root_path", ""),
        "headers": dict(request.headers),
        "body": (await request.body()).decode(),
    }
    bad = {"content-security-policy": "default-src *", "cache-control": "public, max-age=9"}
    await JSONResponse(seen, headers=bad)(scope, receive, send)


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Browser:
    """Sends requests to the guarded application from an address, and keeps cookies."""

    def __init__(self, settings: Settings, peer: str = HERE, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.app = guard(echo, settings, monotonic=self.clock, clock=self.clock)
        self.cookies: dict[str, str] = {}
        self.peer = peer

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.send("GET", path, headers=_named(headers))

    async def post(
        self, path: str, form: Mapping[str, str] | None = None, **headers: str
    ) -> httpx2.Response:
        return await self.send("POST", path, headers=SAME | _named(headers), data=form or {})

    async def send(
        self, method: str, path: str, *, peer: str | None = None, **request: Any
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, client=(peer or self.peer, 1))
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://localhost:8081", cookies=self.cookies
        ) as client:
            answer = await client.request(method, path, **request)
        self.cookies |= dict(answer.cookies)
        return answer

    async def log_in(self, name: str = "mei", token: str = TOKEN, **form: str) -> httpx2.Response:
        return await self.post("/login", {"name": name, "token": token, **form})


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
