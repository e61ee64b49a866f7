"""Who somebody is, by each of the modes of `console.auth`."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import parse_qs

from starlette.responses import Response

from receiver.console.doors import answers
from receiver.console.doors.attempts import Attempts
from receiver.console.doors.cross_site import check_local
from receiver.console.doors.forms import read_form
from receiver.console.doors.sessions import Sessions
from receiver.console.doors.tokens import Tokens
from receiver.console.doors.viewer import Viewer
from receiver.console.doors.visit import RefusedError, Visit
from receiver.observability.logs import get_logger
from receiver.settings.console import ConsoleSettings, ConsoleUser
from receiver.settings.networks import Network

_WRONG: Final = "The name or the token is wrong."

Page = Callable[[Visit, bytes], Awaitable[Response]]
"""Answers a request for a page of the doors themselves; the bytes are the body."""


class NotKnownError(Exception):
    """The request has no session; its sender may log in."""


class Entry(Protocol):
    """A mode: how the viewer is known, and the pages that it has itself, by path."""

    pages: Mapping[str, Page]

    async def viewer(self, visit: Visit) -> Viewer:
        """Who asks; raises `RefusedError` or `NotKnownError`."""


class LocalEntry:
    """`none`: whoever sits at this machine is an administrator."""

    pages: Mapping[str, Page] = {}

    async def viewer(self, visit: Visit) -> Viewer:
        """The one viewer, for a request of this machine."""
        check_local(visit)
        return Viewer("console", "admin", personal=True)


class ProxyEntry:
    """`proxy`: whom a trusted proxy names, where it proves that it is one."""

    pages: Mapping[str, Page] = {}

    def __init__(self, settings: ConsoleSettings) -> None:
        assert settings.proxy_secret is not None, "checked by the settings"
        self._secret = settings.proxy_secret.get_secret_value().encode()
        self._viewers = {user.name: _viewer(user) for user in settings.users}

    async def viewer(self, visit: Visit) -> Viewer:
        """The user that the proxy names, where the settings know exactly this name."""
        given = (visit.only("x-yizhan-proxy-secret") or "").encode("latin-1", "replace")
        proven = hmac.compare_digest(given, self._secret)
        if not (visit.from_proxy and proven):
            raise RefusedError(
                403, "The console is reached through its proxy alone, which proves who it is."
            )
        named = {visit.only("x-forwarded-user"), visit.only("remote-user")} - {None, ""}
        if len(named) != 1:
            raise RefusedError(403, "The proxy does not say who you are.")
        viewer = self._viewers.get(_decoded(named.pop() or ""))
        if viewer is None:
            raise RefusedError(403, "The console knows no user of your name.")
        return viewer


class TokenEntry:
    """`token`: who logged in with a token of their own, or sends it as a bearer token.

    A session ends when its user's token is changed in the settings, as they are read at a start.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        monotonic: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._users = {user.name: user for user in settings.users}
        self._trusted: tuple[Network, ...] = settings.trusted_proxies
        self._tokens = Tokens(settings.users)
        self._attempts = Attempts(monotonic)
        self._sessions = Sessions(clock)
        self._log = get_logger("yizhan.console")
        self.pages: Mapping[str, Page] = {"/login": self._login, "/logout": self._logout}

    async def viewer(self, visit: Visit) -> Viewer:
        """The user of the session, or of the bearer token that a `.json` is asked with."""
        session = self._sessions.of(visit)
        user = self._users.get(session["user"]) if session else None
        if user is None and visit.as_json:
            user = await self._of_bearer(visit)
        if user is None:
            raise NotKnownError
        return _viewer(user)

    async def _of_bearer(self, visit: Visit) -> ConsoleUser | None:
        scheme, _, credentials = (visit.only("authorization") or "").partition(" ")
        name, dot, token = credentials.strip().rpartition(".")
        if scheme.lower() != "bearer" or not dot:
            return None
        return await self._proven(visit, name, token)

    async def _proven(self, visit: Visit, name: str, token: str) -> ConsoleUser:
        address = visit.sender(self._trusted)
        self._attempts.begin(
            address, "Too many wrong tokens came from your address: try again in a minute."
        )
        if not await self._tokens.belong(name, token):
            self._log.warning("console_login_refused")
            raise RefusedError(401, _WRONG, [("www-authenticate", "Bearer")])
        self._attempts.right(address)
        return self._users[name]

    async def _login(self, visit: Visit, body: bytes) -> Response:
        if not visit.changes:
            query = parse_qs(visit.scope.get("query_string", b"").decode("latin-1"))
            return answers.login_page(visit, answers.inside(visit, query.get("next", [""])[0]))
        form = read_form(body)
        then = answers.inside(visit, form.get("next", ""))
        try:
            user = await self._proven(visit, form.get("name", ""), form.get("token", ""))
        except RefusedError as error:
            return answers.login_page(visit, then, error=error)
        self._log.info("console_logged_in", role=user.role)
        return answers.see_other(then, [self._sessions.begin(visit, {"user": user.name})])

    async def _logout(self, visit: Visit, body: bytes) -> Response:
        return answers.see_other(f"{visit.root}/login", [self._sessions.end(visit)])


def _decoded(header: str) -> str:
    try:
        return header.encode("latin-1").decode()
    except ValueError:
        return header


def _viewer(user: ConsoleUser) -> Viewer:
    return Viewer(user.name, user.role, user.personal)
