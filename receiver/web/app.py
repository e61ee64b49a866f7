"""The application: the callback endpoint, and Starlette for everything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.web.addressing import read_callback_path
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.handler_metrics import HandlerMetricsEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.metrics import MetricsEndpoint
from receiver.web.metrics_access import guarded
from receiver.web.middleware import ErrorMiddleware


def create_app(
    callbacks: CallbackEndpoint,
    health: HealthEndpoints,
    documents: Mapping[str, bytes] | None = None,
    metrics: MetricsEndpoint | None = None,
    token: str | None = None,
) -> ASGIApp:
    """The application; what it serves was made, and is closed, by the caller.

    `token` is what `/metrics` takes from elsewhere.
    `documents` are JSON texts by their path, such as `/asyncapi.json`.
    """
    others = Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            *([Route("/metrics", guarded(metrics.metrics, token))] if metrics else []),
            *(_document(path, text) for path, text in (documents or {}).items()),
        ],
    )
    paths = {route.path for route in others.routes if isinstance(route, Route)}
    return ErrorMiddleware(CallbackRoute(callbacks, others, paths))


def create_handler_app(
    health: HealthEndpoints, metrics: HandlerMetricsEndpoint, token: str | None = None
) -> ASGIApp:
    """The application of a process that runs handlers: it takes no callbacks."""
    routes = [
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", guarded(metrics.metrics, token)),
    ]
    return ErrorMiddleware(Starlette(routes=routes))


class CallbackRoute:
    """Hands the URLs of sources, and those of nothing, to the callback endpoint without a router on
    the way: that would cost as much as a tenth of a callback.
    """

    def __init__(
        self, callbacks: CallbackEndpoint, others: ASGIApp, paths: Collection[str]
    ) -> None:
        self._callbacks = callbacks
        self._others = others
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""
        if scope["path"] in self._paths:
            await self._others(scope, receive, send)
            return
        source, path_token = read_callback_path(scope.get("raw_path") or scope["path"].encode())
        await self._callbacks(scope, receive, send, source, path_token)


def _document(path: str, text: bytes) -> Route:
    response = Response(text, media_type="application/json")
    return Route(path, response)
