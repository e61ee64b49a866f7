"""An OpenID provider that a test plays, on a real server: it answers as a test sets it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from receiver.web.server import bind, serving
from tests.console.asked import Clock

CLIENT, CLIENT_SECRET = "yizhan:ops", "sécret of + the client"
PUBLIC = "http://localhost:8081"

Signing = Callable[[dict[str, Any]], str]


def new_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Provider:
    """`claims` are put into each ID token, None leaves one out; `metadata` is published likewise.
    `sign` makes the token of its claims, `answer` takes the place of what the token endpoint says;
    nothing is published before `speaking` is set.
    """

    clock: Clock
    issuer: str
    keys: list[ECKey] = field(default_factory=lambda: [new_key("one")])
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    sign: Signing | None = None
    answer: Response | None = None
    speaking: asyncio.Event = field(default_factory=_set)
    asked: list[str] = field(default_factory=list)
    redirect_uri: str = f"{PUBLIC}/oidc/callback"
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def let_in(self, location: str) -> str:
        """What the provider does once somebody has logged in there: the path it sends them to."""
        url, _, query = location.partition("?")
        login = dict(parse_qsl(query, strict_parsing=True))
        assert url == f"{self.issuer}/authorize"
        assert (login["response_type"], login["client_id"]) == ("code", CLIENT)
        assert login["redirect_uri"] == self.redirect_uri
        assert login["code_challenge_method"] == "S256"
        assert login["scope"].split() == ["openid", "profile"]
        code = f"code-{len(self._codes)}"
        self._codes[code] = login
        return f"{urlsplit(self.redirect_uri).path}?code={code}&state={login['state']}"

    def signed(self, claims: dict[str, Any]) -> str:
        key = self.keys[-1]
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)

    async def published(self, request: Request) -> Response:
        self.asked.append("metadata")
        await self.speaking.wait()
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout?a=b",
        }
        return JSONResponse(_changed(document, self.metadata))

    async def public_keys(self, request: Request) -> Response:
        self.asked.append("keys")
        unusable = [{"kty": "EC", "crv": "P-000"}, {"kty": "PQ"}, "none", {"kty": "RSA", "n": "x"}]
        return JSONResponse({"keys": [*unusable, *KeySet(list(self.keys)).as_dict()["keys"]]})

    async def token(self, request: Request) -> Response:
        self.asked.append("token")
        if self.answer is not None:
            return self.answer
        form = dict(parse_qsl((await request.body()).decode()))
        ways = self.metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if _credentials(request, form, ways) != (CLIENT, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        login = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            login is None
            or (form["grant_type"], form["redirect_uri"])
            != ("authorization_code", login["redirect_uri"])
            or challenge != login["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(self.clock.now)
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "7f3a", "nonce": login["nonce"],
            "iat": now, "exp": now + 300,
        }  # fmt: skip
        token = (self.sign or self.signed)(_changed(claims, self.claims))
        return JSONResponse({"id_token": token, "access_token": "a", "token_type": "Bearer"})

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.published),
                Route("/keys", self.public_keys),
                Route("/token", self.token, methods=["POST"]),
            ]
        )


@dataclass
class Place:
    """Where a provider is served, one after the other."""

    issuer: str = ""
    provider: Provider | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.provider is not None:
            await self.provider.app(scope, receive, send)


@contextlib.asynccontextmanager
async def providing() -> AsyncIterator[Place]:
    """A place on a free port."""
    place = Place()
    async with serving(place, bind("127.0.0.1", 0)) as place.issuer:
        yield place


def _credentials(request: Request, form: dict[str, str], ways: list[str]) -> tuple[str, str]:
    if "client_secret_basic" not in ways:
        return form.get("client_id", ""), form.get("client_secret", "")
    encoded = request.headers.get("authorization", "").removeprefix("Basic ")
    name, _, secret = base64.b64decode(encoded).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


def _changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (document | changes).items() if value is not None}
