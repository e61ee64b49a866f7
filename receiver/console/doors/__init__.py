"""Who may come in: an open door on loopback."""

from __future__ import annotations

import secrets

from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.console.doors.viewer import Viewer
from receiver.settings import Settings


def guard(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app` behind the doors of the settings: `scope["state"]` gets `viewer` and `nonce`."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        state["viewer"] = Viewer("operator", "admin", personal=True)
        state["nonce"] = secrets.token_urlsafe(16)
        await app(scope, receive, send)

    return guarded
