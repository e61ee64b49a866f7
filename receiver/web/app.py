"""The Starlette application: its routes and its outermost middleware."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.middleware import LastResort


def create_app(callbacks: CallbackEndpoint, health: HealthEndpoints) -> Starlette:
    """The application; what it serves was made, and is closed, by the caller."""
    app = Starlette(
        routes=[
            Route("/callbacks/{source}", callbacks, name="callbacks"),
            Route("/callbacks/{source}/", callbacks),
            Route("/callbacks/{source}/{path_token}", callbacks, name="callbacks_with_token"),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
        ],
        middleware=[Middleware(LastResort)],
    )
    app.router.redirect_slashes = False  # a platform does not follow a redirect of its POST
    return app
