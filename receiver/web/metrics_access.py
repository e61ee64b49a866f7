"""Who may read metrics: this machine; from elsewhere, who has the token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Serve = Callable[[Request], Awaitable[Response]]
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""A request that a proxy on this machine passes on comes from elsewhere."""
_REFUSED: Final = (
    "From elsewhere, /metrics takes 'Authorization: Bearer ...' with the token of the settings "
    "(metrics.token).\n"
)


def guarded(serve: Serve, token: str | None) -> Serve:
    """`serve` for who may read it; anybody else gets 401."""
    expected = None if token is None else f"Bearer {token}".encode()

    async def guard(request: Request) -> Response:
        if _is_local(request) or _has(request, expected):
            return await serve(request)
        return PlainTextResponse(_REFUSED, 401, {"www-authenticate": "Bearer"})

    return guard


def _has(request: Request, expected: bytes | None) -> bool:
    given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
    return expected is not None and hmac.compare_digest(given, expected)


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
