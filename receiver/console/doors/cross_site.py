"""Requests that another site made a browser send are refused. Pure.

A browser says in `Sec-Fetch-Site` how the page that asks relates to us, and no page can forge that
(https://www.w3.org/TR/fetch-metadata/); over plain HTTP to another machine it says nothing, and
`Origin` is compared with `Host`. Whoever sends neither is no browser of our time, and has no cookie
that another site could use. No credential exempts: a request may hold a token and a cookie.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from receiver.console.doors.visit import RefusedError, Visit

_OURS: Final = frozenset({"same-origin", "none"})
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def check_same_site(visit: Visit) -> None:
    """Raise `RefusedError` where a request that changes something comes from another site."""
    if not visit.changes:
        return
    site = visit.only("sec-fetch-site")
    origin = visit.only("origin")
    if site in _OURS:
        return
    if site is None and (origin is None or _host_of(origin) == visit.only("host")):
        return
    raise RefusedError(403, "Another site sent this request, so nothing was done.")


def check_local(visit: Visit) -> None:
    """Raise `RefusedError` where a request comes from elsewhere than a page of this machine.

    A name of another site may be made to mean 127.0.0.1 (DNS rebinding): its pages would then be
    of our origin, and only `Host` shows it.
    """
    if visit.peer is None or not visit.peer.is_loopback or not _is_local(visit.only("host")):
        raise RefusedError(
            421,
            "The console lets in this machine alone: open it as localhost, or set console.auth = "
            '"token", "oidc" or "proxy".',
        )
    if any(name in visit.headers for name in _FORWARDED):
        raise RefusedError(
            403, 'A proxy sent this request, and console.auth is "none": set it to "proxy".'
        )


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _is_local(host: str | None) -> bool:
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
