"""The console as one ASGI application: pages, their JSON, the search box, what is static."""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from receiver.console.desk import Desk
from receiver.console.doors import guard
from receiver.console.pages import Pages, path_of
from receiver.console.rendering import STATIC, environment
from receiver.console.screens.table import SCREENS
from receiver.settings import Settings


def create_console(desk: Desk, settings: Settings) -> ASGIApp:
    """The application, behind its doors and below its prefix."""
    pages = Pages(desk, SCREENS, environment())
    app = Starlette(
        routes=[*pages.routes(), Mount("/static", StaticFiles(directory=STATIC))],
        exception_handlers={HTTPException: partial(_refused, pages)},
    )
    return below(guard(app, settings), settings.console.root_path)


def below(app: ASGIApp, root_path: str) -> ASGIApp:
    """`app` below a prefix, whether a proxy has taken that from the path or not."""

    async def prefixed(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": root_path} if root_path else scope, receive, send)

    return prefixed


async def _refused(pages: Pages, request: Request, error: Exception) -> Response:
    """The page of what no route takes."""
    assert isinstance(error, HTTPException)
    if "viewer" not in request.scope["state"]:  # what is static is given to whoever asks
        return Response(status_code=error.status_code, headers=error.headers)
    missing = f"There is no page {path_of(request)}: look for an id in the box above."
    sentence = missing if error.status_code == 404 else str(error.detail)
    return pages.fault(request, error.status_code, sentence)
