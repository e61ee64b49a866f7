"""From a request to a page: reads what a screen asks for, renders it, and turns faults into pages.

A page never fails half: what it shows is read before a byte of it is sent.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from receiver.bounded_cache import BoundedCache
from receiver.console.desk import Desk
from receiver.console.doors.viewer import Viewer
from receiver.console.forms import filters_of, form_of, parameters, words_of
from receiver.console.rendering import as_json, encoded, query, without
from receiver.console.screen import (
    Asked,
    ChangedError,
    ElsewhereError,
    ForbiddenError,
    GoneError,
    Screen,
)
from receiver.console.sent_events import Viewers
from receiver.errors import BusError, YizhanError
from receiver.observability.logs import get_logger

_NOTICES: Final = 256
_TITLES: Final[Mapping[int, str]] = {
    400: "This cannot be asked",
    403: "This is not yours to do",
    404: "Nothing is here",
    409: "It has changed meanwhile",
    503: "NATS does not answer",
}
Answer = Callable[[Request], Awaitable[Response]]


class Pages:
    """The screens of a table over one desk, as routes."""

    def __init__(self, desk: Desk, screens: Sequence[Screen], templates: Environment) -> None:
        self.desk = desk
        self.viewers = Viewers()
        self._screens = screens
        self._templates = templates
        self._notices: BoundedCache[str] = BoundedCache(_NOTICES)

    def routes(self) -> list[Route]:
        """Those of every screen; paths without variables first, so that none hides another."""
        found: list[Route] = []
        for screen in sorted(self._screens, key=lambda one: ("{" in one.path, -len(one.path))):
            twin = partial(self._answered, partial(self._twin, screen), as_text=False)
            page = partial(self._answered, partial(self._page, screen), as_text=True)
            found.append(Route(screen.twin, twin, methods=["GET"]))
            found.append(Route(screen.path, page, methods=["GET"]))
            if screen.act is not None:
                done = partial(self._answered, partial(self._done, screen), as_text=True)
                found.append(Route(screen.path, done, methods=["POST"]))
            if screen.live is not None:
                live = partial(self._answered, partial(self._live, screen), as_text=False)
                found.append(Route(screen.live_path, live, methods=["GET"]))
        return found

    def url(self, request: Request, path: str) -> str:
        """A path of the console as a browser asks for it, below the prefix."""
        return f"{request.scope.get('root_path', '')}{path}"

    async def _page(self, screen: Screen, request: Request) -> Response:
        asked = self._asked(screen, request, parameters(request.url.query))
        view = await screen.read(self.desk, asked)
        return self._rendered(request, screen.template, {"view": view, "asked": asked}, screen)

    async def _twin(self, screen: Screen, request: Request) -> Response:
        asked = self._asked(screen, request, parameters(request.url.query))
        view = await screen.read(self.desk, asked)
        return Response(as_json(view), media_type="application/json")

    async def _live(self, screen: Screen, request: Request) -> Response:
        assert screen.live is not None
        if self.viewers.is_full:
            return self.viewers.refusal()
        given = parameters(request.url.query)
        if last := request.headers.get("last-event-id"):
            given["after"] = last
        following = await screen.live(self.desk, self._asked(screen, request, given))
        return self.viewers.answer(following)

    async def _done(self, screen: Screen, request: Request) -> Response:
        assert screen.act is not None
        asked = self._asked(screen, request, await form_of(request), whole=True)
        if not asked.may(screen.act.role):
            raise ForbiddenError(
                f"{asked.viewer.name} is {asked.viewer.role} here, and this takes an "
                f"{screen.act.role}"
            )
        done = await screen.act.do(self.desk, asked)
        return self._see_other(request, done.page, done.sentence)

    def _see_other(self, request: Request, page: str, sentence: str) -> Response:
        path, mark, fragment = page.partition("#")
        if sentence:
            word = secrets.token_urlsafe(9)
            self._notices.put(word, sentence)
            path += f"{'&' if '?' in path else '?'}notice={word}"
        return RedirectResponse(self.url(request, f"{path}{mark}{fragment}"), status_code=303)

    def _asked(
        self, screen: Screen, request: Request, given: Mapping[str, str], *, whole: bool = False
    ) -> Asked:
        viewer = _viewer(request)
        words = words_of(given, screen.words)
        others = {
            name: text
            for name, text in given.items()
            if name not in words and (whole or name in screen.others)
        }
        word, page = given.get("reveal", ""), path_of(request).removesuffix(".json")
        reveal = viewer.personal and self.desk.reveals.covers(word, viewer.name, page)
        path = {name: str(value) for name, value in request.path_params.items()}
        return Asked(
            viewer=viewer,
            now=datetime.now(UTC),
            path=path,
            words=words,
            filters=filters_of(words),
            others=others,
            reveal=reveal,
        )

    def _rendered(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        screen: Screen | None,
        status: int = 200,
    ) -> Response:
        given = request.query_params
        html = self._templates.get_template(template).render(
            url=partial(self.url, request),
            nonce=request.scope["state"]["nonce"],
            viewer=_viewer(request),
            sessions=request.scope["state"]["sessions"],
            now=datetime.now(UTC),
            menu=[one for one in self._screens if one.menu],
            can_send=self._can_send(),
            screen=screen,
            path=path_of(request),
            this_page=path_of(request) + _query_of(request),
            twin=_twin_of(request, screen),
            notice=self._notices.get(given.get("notice", "")),
            **context,
        )
        return Response(encoded(html), status_code=status, media_type="text/html")

    def _can_send(self) -> list[str]:
        """The sources that test callbacks can be sent to."""
        sender = self.desk.sender
        return [] if sender is None else [one.name for one in sender.sources]

    async def _answered(self, answer: Answer, request: Request, *, as_text: bool) -> Response:
        """The answer, or the page of what hinders it."""
        try:
            return await answer(request)
        except ElsewhereError as error:
            return RedirectResponse(self.url(request, str(error)), status_code=303)
        except YizhanError as error:
            status, sentence = _status(error), str(error)
        except Exception as error:  # noqa: BLE001 - one page that fails is no end of the console
            get_logger("yizhan.console").error(
                "console_page_failed", path=request.scope["route"].path, error=type(error).__name__
            )
            status, sentence = 500, "This page failed; the log of the console says of what."
        if not as_text:
            text = json.dumps({"error": sentence}, ensure_ascii=False)
            return Response(encoded(f"{text}\n"), status_code=status, media_type="application/json")
        return self.fault(request, status, sentence)

    def fault(self, request: Request, status: int, sentence: str) -> Response:
        """The page of what hinders an answer."""
        fault = {"title": _TITLES.get(status, "This page failed"), "sentence": sentence}
        return self._rendered(request, "fault.html", {"fault": fault}, None, status)


def _status(error: YizhanError) -> int:
    if isinstance(error, GoneError):
        return 404
    if isinstance(error, ForbiddenError):
        return 403
    if isinstance(error, ChangedError):
        return 409
    return 503 if isinstance(error, BusError) else 400


def _viewer(request: Request) -> Viewer:
    viewer: Viewer = request.scope["state"]["viewer"]
    return viewer


def path_of(request: Request) -> str:
    """The path without the prefix, as it stands in a link: an id may hold a slash of its own."""
    root: str = request.scope.get("root_path", "")
    raw: bytes = request.scope["raw_path"]
    return quote(raw.decode("latin-1").removeprefix(root), safe="/%")


def _twin_of(request: Request, screen: Screen | None) -> str:
    if screen is None:
        return ""
    path = path_of(request).rstrip("/") or f"/{screen.name}"
    return f"{path}.json{_query_of(request)}"


def _query_of(request: Request) -> str:
    """The query, without what was said once."""
    return query(without(parameters(request.url.query), "notice"))
