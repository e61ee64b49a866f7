"""`/metrics` of `yizhan metrics`: those of all processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from receiver.observability.figures import Figures
from receiver.observability.metric_families import families
from receiver.web.metrics import exposition
from receiver.web.metrics_access import guarded
from receiver.web.middleware import ErrorMiddleware

Collect = Callable[[], Awaitable[Figures]]


def create_metrics_app(collect: Collect, token: str | None) -> ASGIApp:
    """The application that serves what `collect` gives."""

    async def metrics(request: Request) -> Response:
        return exposition(families(await collect()))

    async def healthz(request: Request) -> Response:
        return Response(status_code=200)

    routes = [Route("/metrics", guarded(metrics, token)), Route("/healthz", healthz)]
    return ErrorMiddleware(Starlette(routes=routes))
