"""The Starlette application: its routes and its outermost middleware."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.middleware import LastResort


def create_app(
    callbacks: CallbackEndpoint,
    health: HealthEndpoints,
    documents: Mapping[str, bytes] | None = None,
) -> Starlette:
    """The application; what it serves was made, and is closed, by the caller.

    `documents` are JSON texts by their path, such as `/asyncapi.json`.
    """
    app = Starlette(
        routes=[
            Route("/callbacks/{source}", callbacks, name="callbacks"),
            Route("/callbacks/{source}/", callbacks),
            Route("/callbacks/{source}/{path_token}", callbacks, name="callbacks_with_token"),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            *(_document(path, text) for path, text in (documents or {}).items()),
        ],
        middleware=[Middleware(LastResort)],
    )
    app.router.redirect_slashes = False  # a platform does not follow a redirect of its POST
    return app


def _document(path: str, text: bytes) -> Route:
    response = Response(text, media_type="application/json")
    return Route(path, response)
