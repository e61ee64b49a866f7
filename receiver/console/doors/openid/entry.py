"""Logging in at an OpenID provider: the code flow with PKCE (RFC 6749, 7636), and logging out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.responses import Response

from receiver.bounded_cache import BoundedCache
from receiver.console.doors import answers
from receiver.console.doors.attempts import Attempts
from receiver.console.doors.entries import NotKnownError, Page
from receiver.console.doors.openid.grants import granted_viewer
from receiver.console.doors.openid.id_token import (
    Claims,
    ClockError,
    IDTokenError,
    UnknownKeyError,
    read_id_token,
)
from receiver.console.doors.openid.provider import CodeRefusedError, Provider, ProviderError
from receiver.console.doors.sessions import Sessions
from receiver.console.doors.signed import SignedCookie
from receiver.console.doors.viewer import Viewer
from receiver.console.doors.visit import RefusedError, Visit
from receiver.observability.logs import get_logger
from receiver.settings.console import ConsoleSettings

LOGIN_S: Final = 600
"""How long somebody may take at the provider."""
CALLBACK: Final = "/oidc/callback"
_MAX_NEXT_CHARS: Final = 2000  # a browser drops a cookie of more than 4096 bytes
_USED: Final = 4096
_ERROR: Final = re.compile(r"[a-z_]{1,40}")


class OpenIDEntry:
    """`oidc`: whom an OpenID provider names, as what the grants of the settings say.

    Rights are those of the login: what changes at the provider counts from the next one.
    """

    def __init__(
        self,
        settings: ConsoleSettings,
        *,
        monotonic: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        assert settings.oidc is not None, "checked by the settings"
        self._settings = settings.oidc
        self._trusted = settings.trusted_proxies
        self._redirect_uri = f"{self._settings.public_url}{CALLBACK}"
        https = self._redirect_uri.startswith("https:")
        self._provider = Provider(self._settings, monotonic)
        self._sessions = Sessions(clock, https=https)
        self._login_cookie = SignedCookie("yizhan-console-login", LOGIN_S, clock, https=https)
        self._used: BoundedCache[bool] = BoundedCache(_USED)
        self._attempts = Attempts(monotonic)
        self._clock = clock
        self._log = get_logger("yizhan.console")
        self.pages: Mapping[str, Page] = {
            "/login": self._login,
            CALLBACK: self._callback,
            "/logout": self._logout,
            "/logged-out": self._logged_out,
        }

    async def viewer(self, visit: Visit) -> Viewer:
        """Who logged in."""
        if (session := self._sessions.of(visit)) is None:
            raise NotKnownError
        return Viewer(session["user"], session["role"], session["personal"])

    async def _login(self, visit: Visit, body: bytes) -> Response:
        """To the provider; a cookie binds what comes back to this browser."""
        if visit.only("sec-fetch-dest") not in {None, "document"}:
            # An icon or a part of a page would begin a login in place of the one under way.
            raise RefusedError(401, "Log in first.", [("www-authenticate", "Bearer")])
        then = answers.inside(visit, _query(visit).get("next", ""))
        login = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": login["state"],
            "nonce": login["nonce"],
            "code_challenge": _challenge(login["verifier"]),
            "code_challenge_method": "S256",
        }
        try:
            metadata = await self._provider.metadata()
        except ProviderError as error:
            raise self._failed(error) from None
        login["next"] = then if len(then) <= _MAX_NEXT_CHARS else f"{visit.root}/"
        cookie = self._login_cookie.header(visit, login)
        return answers.see_other(_with(metadata.authorization_endpoint, asked), [cookie])

    async def _callback(self, visit: Visit, body: bytes) -> Response:
        """From the provider, with a code; from here to the page that was asked for."""
        if visit.method != "GET":  # a code is good for once
            raise RefusedError(405, "The provider sends browsers here.", [("allow", "GET")])
        query = _query(visit)
        login = self._begun(visit, query.get("state", ""))
        if "code" not in query:
            error = query.get("error", "")
            reason = error if _ERROR.fullmatch(error) else "no_code"
            raise self._refused(reason, f"The provider did not let you in: {reason}.")
        claims = await self._proven(visit, query["code"], login)
        try:
            viewer = granted_viewer(claims, self._settings)
        except RefusedError:
            self._log.warning("console_login_refused", reason="not_granted")
            raise
        self._log.info("console_logged_in", role=viewer.role)
        session = {"user": viewer.name, "role": viewer.role, "personal": viewer.personal}
        cookies = [self._sessions.begin(visit, session), self._login_cookie.gone(visit)]
        return answers.see_other(login["next"], cookies)

    def _begun(self, visit: Visit, state: str) -> Mapping[str, Any]:
        """The login that this browser began with a state, once."""
        login: Mapping[str, Any] | None = self._login_cookie.read(visit)
        ours = login is not None and hmac.compare_digest(login["state"].encode(), state.encode())
        if login is None or not ours or self._used.get(state):
            raise self._refused(
                "not_begun",
                "This login is over, or was not begun in this browser: begin anew at "
                f"{self._settings.public_url}/ within {LOGIN_S // 60} minutes.",
            )
        self._used.put(state, True)  # noqa: FBT003
        return login

    async def _proven(self, visit: Visit, code: str, login: Mapping[str, Any]) -> Claims:
        address = visit.sender(self._trusted)
        self._attempts.begin(
            address, "Too many logins of your address failed: try again in a minute."
        )
        try:
            token = await self._provider.redeem(code, login["verifier"], self._redirect_uri)
            claims = await self._claims(token, login["nonce"])
        except CodeRefusedError:
            raise self._refused(
                "code_refused", "The provider does not accept this login any more."
            ) from None
        except ClockError as error:
            raise self._refused(
                str(error),
                "The provider's answer is of another time: the clock of the console or of the "
                "provider is wrong.",
            ) from None
        except IDTokenError as error:
            raise self._refused(
                str(error), "What the provider says about you is not proven."
            ) from None
        except ProviderError as error:
            raise self._failed(error) from None
        self._attempts.right(address)
        return claims

    async def _claims(self, token: str, nonce: str) -> Claims:
        known: dict[str, Any] = {
            "issuer": self._settings.issuer,
            "client_id": self._settings.client_id,
            "nonce": nonce,
            "now": self._clock(),
        }
        try:
            return read_id_token(token, await self._provider.keys(), **known)
        except UnknownKeyError:
            return read_id_token(token, await self._provider.keys(anew=True), **known)

    async def _logout(self, visit: Visit, body: bytes) -> Response:
        return answers.see_other(f"{visit.root}/logged-out", [self._sessions.end(visit)])

    async def _logged_out(self, visit: Visit, body: bytes) -> Response:
        """Leads on by a link: a form may lead to the console alone (`form-action`)."""
        try:
            ends = (await self._provider.metadata()).end_session_endpoint
        except ProviderError:
            ends = None
        client = {"client_id": self._settings.client_id}
        return answers.logged_out(visit, None if ends is None else _with(ends, client))

    def _refused(self, reason: str, sentence: str) -> RefusedError:
        self._log.warning("console_login_refused", reason=reason)
        return RefusedError(401, sentence, [("www-authenticate", "Bearer")])

    def _failed(self, error: ProviderError) -> RefusedError:
        self._log.error("console_provider_failed", error=str(error))
        return RefusedError(502, f"The OpenID provider {error}.")


def _challenge(verifier: str) -> str:
    """RFC 7636, section 4.2: S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _query(visit: Visit) -> dict[str, str]:
    """The parameters of a request that stand there once; raises `RefusedError`."""
    text = visit.scope.get("query_string", b"").decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise RefusedError(400, "The address cannot be read.") from None
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


def _with(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
