"""The way into the console: each request passes here before a page sees it.

In this order: which methods there are, whether another site sent it, how large it is, who sends it.
A page finds in `scope["state"]` the `viewer`, the `nonce` of its scripts, and whether there are
`sessions` to be ended by `POST /logout`; what the viewer may do
there is the page's to say.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.console.doors import answers
from receiver.console.doors.answer_headers import secured
from receiver.console.doors.cross_site import check_same_site
from receiver.console.doors.entries import Entry, LocalEntry, NotKnownError, ProxyEntry, TokenEntry
from receiver.console.doors.forms import given_again, read_body
from receiver.console.doors.openid.extra import check_extra
from receiver.console.doors.visit import RefusedError, Visit, placed
from receiver.settings import Settings
from receiver.settings.console import ConsoleSettings

_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
_STATIC: Final = "/static/"
_FOR_THE_DOORS: Final = (
    "authorization", "x-forwarded-user", "remote-user", "x-yizhan-proxy-secret",
)  # fmt: skip
"""What no page gets to see: it would believe it."""


def guard(
    app: ASGIApp,
    settings: Settings,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """`app` behind the doors of the settings; `clock` is Unix time.

    Raises `ConfigurationError` where these need what is not installed.
    """
    chosen = settings.console
    check_extra(chosen)
    entry: Entry
    if chosen.auth == "token":
        entry = TokenEntry(chosen, monotonic=monotonic, clock=clock)
    elif chosen.auth == "oidc":
        from receiver.console.doors.openid.entry import OpenIDEntry  # it imports the extra

        entry = OpenIDEntry(chosen, monotonic=monotonic, clock=clock)
    elif chosen.auth == "proxy":
        entry = ProxyEntry(chosen)
    else:
        entry = LocalEntry()
    return _Guard(app, chosen, entry)


class _Guard:
    def __init__(self, app: ASGIApp, settings: ConsoleSettings, entry: Entry) -> None:
        self._app = app
        self._settings = settings
        self._entry = entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._enter(placed(scope, self._settings.root_path), receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = Visit.of(scope, self._settings.trusted_proxies)
        nonce = scope["state"]["nonce"] = secrets.token_urlsafe(16)
        scope["state"]["sessions"] = "/logout" in self._entry.pages
        static = visit.path.startswith(_STATIC) and not visit.changes
        send = secured(send, nonce, caching=_caching(visit) if static else "no-store")
        try:
            answer = await self._answer(visit, receive, send, static=static)
        except RefusedError as error:
            answer = answers.refused(visit, error)
        if answer is not None:
            await answer(scope, receive, send)

    async def _answer(
        self, visit: Visit, receive: Receive, send: Send, *, static: bool
    ) -> Response | None:
        """What the doors answer; None where the application answered."""
        if visit.method not in _METHODS:
            allowed = ", ".join(sorted(_METHODS))
            raise RefusedError(405, "There is no such method here.", [("allow", allowed)])
        check_same_site(visit)
        if visit.path == "":
            return answers.see_other(f"{visit.root}/")
        body = b""
        if visit.changes:
            body = await read_body(visit, receive)
            receive = given_again(body, receive)
        if (page := self._entry.pages.get(visit.path)) is not None:
            return await page(visit, body)
        if not static:
            try:
                visit.scope["state"]["viewer"] = await self._entry.viewer(visit)
            except NotKnownError:
                return _unknown(visit)
        await self._app(_bare(visit.scope), receive, send)
        return None


def _caching(visit: Visit) -> str:
    """A file whose URL names its digest never changes; another is asked for again."""
    digest = visit.scope.get("query_string", b"").startswith(b"v=")
    return "private, max-age=31536000, immutable" if digest else "no-cache"


def _unknown(visit: Visit) -> Response:
    if visit.as_json or visit.changes:
        raise RefusedError(401, "Log in first.", [("www-authenticate", "Bearer")])
    return answers.to_login(visit)


def _bare(scope: Scope) -> Scope:
    headers = MutableHeaders(raw=list(scope["headers"]))
    for name in _FOR_THE_DOORS:
        del headers[name]
    return {**scope, "headers": headers.raw}
