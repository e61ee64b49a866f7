"""The application: the callback endpoint, and Starlette for everything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.metrics import MetricsEndpoint
from receiver.web.middleware import LastResort

_CALLBACKS: Final = "/callbacks/"


def create_app(
    callbacks: CallbackEndpoint,
    health: HealthEndpoints,
    documents: Mapping[str, bytes] | None = None,
    metrics: MetricsEndpoint | None = None,
) -> ASGIApp:
    """The application; what it serves was made, and is closed, by the caller.

    `documents` are JSON texts by their path, such as `/asyncapi.json`.
    """
    others = Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            *([Route("/metrics", metrics.metrics)] if metrics else []),
            *(_document(path, text) for path, text in (documents or {}).items()),
        ],
    )
    return LastResort(_Front(callbacks, others))


class _Front:
    """Hands `/callbacks/{source}[/[{path_token}]]` to its endpoint without a router on the way:
    that would cost as much as a tenth of a callback.
    """

    def __init__(self, callbacks: CallbackEndpoint, others: ASGIApp) -> None:
        self._callbacks = callbacks
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(_CALLBACKS):
            source, _, path_token = path[len(_CALLBACKS) :].partition("/")
            if source and "/" not in path_token:
                await self._callbacks(scope, receive, send, source, path_token or None)
                return
        await self._others(scope, receive, send)


def _document(path: str, text: bytes) -> Route:
    response = Response(text, media_type="application/json")
    return Route(path, response)
