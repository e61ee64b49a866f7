"""An OpenID provider over HTTP: its metadata, its keys, and the ID token for a code.

Follows OpenID Connect Discovery 1.0 and RFC 6749, section 4.1.3.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlsplit

import httpx2
from joserfc.jwk import KeySet

from receiver.console.doors.openid.id_token import read_keys
from receiver.settings.networks import is_loopback
from receiver.settings.openid import OpenIDSettings, is_protected

ANSWER_S: Final = 10.0
"""How long the provider may take for an answer."""
KEPT_S: Final = 3600.0
"""How long its metadata and keys are used."""
PAUSE_S: Final = 5.0
"""How long one that failed is left alone: anyone may ask to log in."""
_LIMIT_BYTES: Final = 1024 * 1024


class ProviderError(Exception):
    """The provider is away or answers nonsense; the text ends a sentence that begins with it."""


class CodeRefusedError(Exception):
    """The provider does not take a code: it is old, was used, or is another's."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the provider does what. `posts`: it takes the client's secret in a form alone."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    posts: bool


class Provider:
    """The provider of the settings; `monotonic` is in seconds. Nothing is asked before a login."""

    def __init__(self, settings: OpenIDSettings, monotonic: Callable[[], float]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._known: tuple[Metadata, KeySet] | ProviderError | None = None
        self._until = 0.0
        self._tls: ssl.SSLContext | None = None

    async def metadata(self) -> Metadata:
        """What it publishes at its issuer; raises `ProviderError`."""
        metadata, _ = await self._current()
        return metadata

    async def keys(self, *, anew: bool = False) -> KeySet:
        """The keys it signs by, with `anew` those of now; raises `ProviderError`."""
        if anew:
            self._until = 0.0
        _, keys = await self._current()
        return keys

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code; raises `CodeRefusedError` or `ProviderError`."""
        metadata = await self.metadata()
        secret = self._settings.client_secret
        assert secret is not None, "read by the settings"
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        credentials = (self._settings.client_id, secret.get_secret_value())
        auth = None
        if metadata.posts:
            form |= dict(zip(("client_id", "client_secret"), credentials, strict=True))
        else:
            auth = httpx2.BasicAuth(*map(quote_plus, credentials))
        status, answer = await self._ask("POST", metadata.token_endpoint, data=form, auth=auth)
        if status == 200 and isinstance(token := answer.get("id_token"), str):
            return token
        if answer.get("error") == "invalid_grant":
            raise CodeRefusedError
        if status == 401 or answer.get("error") in {"invalid_client", "unauthorized_client"}:
            raise ProviderError(
                "does not accept the console: compare console.oidc.client_id and client_secret "
                "with what is registered there"
            )
        raise ProviderError(f"gave no ID token for a code (status {status})")

    async def _current(self) -> tuple[Metadata, KeySet]:
        async with self._asking:
            if self._known is None or self._monotonic() >= self._until:
                try:
                    self._known, kept_s = await self._published(), KEPT_S
                except ProviderError as error:
                    self._known, kept_s = error, PAUSE_S
                self._until = self._monotonic() + kept_s
            if isinstance(self._known, ProviderError):
                raise ProviderError(str(self._known))
            return self._known

    async def _published(self) -> tuple[Metadata, KeySet]:
        issuer = self._settings.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        status, document = await self._ask("GET", url)
        if status != 200:
            raise ProviderError(f"answers {status} to {url}: compare console.oidc.issuer with it")
        if document.get("issuer") != issuer:
            raise ProviderError(
                "calls itself by another issuer than console.oidc.issuer: write exactly what "
                f'stands as "issuer" in {url}'
            )
        metadata = _metadata(document)
        status, document = await self._ask("GET", metadata.jwks_uri)
        keys = read_keys(document)
        if not keys:
            raise ProviderError(f"publishes no key that can be used (status {status})")
        return metadata, keys

    async def _ask(self, method: str, url: str, **request: Any) -> tuple[int, Mapping[str, Any]]:
        """The status and the JSON object of an answer, which is empty where there is none."""
        tls = await self._authorities()
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                httpx2.AsyncClient(
                    verify=tls,
                    timeout=ANSWER_S,
                    trust_env=not is_loopback(urlsplit(url).hostname or ""),
                    headers={"accept": "application/json", "accept-encoding": "identity"},
                ) as http,
                http.stream(method, url, **request) as answer,
            ):
                body = bytearray()
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > _LIMIT_BYTES:
                        raise ProviderError("gives answers of more than 1 MiB")
                return answer.status_code, _object(bytes(body))
        except TimeoutError:
            raise ProviderError(f"did not answer within {ANSWER_S:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderError(f"cannot be reached ({type(error).__name__})") from None

    async def _authorities(self) -> ssl.SSLContext:
        """Read once, which takes a while, and not before a login: a receiver in the same process
        starts without them.
        """
        if self._tls is None:
            try:
                self._tls = await asyncio.to_thread(httpx2.create_ssl_context)
            except OSError as error:
                raise ProviderError(
                    "cannot be asked: the certificates of authorities cannot be read "
                    f"(SSL_CERT_FILE or SSL_CERT_DIR: {type(error).__name__})"
                ) from None
        return self._tls


def _metadata(document: Mapping[str, Any]) -> Metadata:
    ways = document.get("token_endpoint_auth_methods_supported")
    ways = ways if isinstance(ways, list) else ["client_secret_basic"]
    ends = document.get("end_session_endpoint")
    return Metadata(
        _endpoint(document, "authorization_endpoint"),
        _endpoint(document, "token_endpoint"),
        _endpoint(document, "jwks_uri"),
        None if ends is None else _endpoint(document, "end_session_endpoint"),
        posts="client_secret_post" in ways and "client_secret_basic" not in ways,
    )


def _endpoint(document: Mapping[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not is_protected(url) or "#" in url:
        raise ProviderError(f"publishes no {name} with https")
    return url


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
