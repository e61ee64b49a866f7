"""The doors' own answers: what was refused, the form to log in, and ways to go on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from receiver.console.doors.visit import RefusedError, Visit

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Yizhan</title>
<link rel="stylesheet" href="{root}/static/console.css">
</head>
<body>
<main class="door">
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
_LOGIN: Final = """\
{alert}<form class="sheet" method="post" action="{root}/login">
<p><label for="name">Name</label>
<input id="name" name="name" autocomplete="username" autocapitalize="none" required></p>
<p><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required></p>
<input type="hidden" name="next" value="{next}">
<p><button class="main">Log in</button></p>
</form>"""

_AGAIN: Final = frozenset({401, 429, 502})
"""What a login may end in, and another may not."""
_LOGGED_OUT: Final = """\
<p>This session of the console is over.</p>
<p><a href="{root}/login">Log in</a></p>"""
_ALSO_THERE: Final = """
<p>The provider still knows you: whoever uses this browser may log in without a password.
<a href="{url}">Log out there, too</a></p>"""


def refused(visit: Visit, error: RefusedError) -> Response:
    """What was refused and why, as whoever asked can read it."""
    headers = dict(error.headers)
    if visit.as_json:
        return JSONResponse({"error": error.sentence}, error.status, headers)
    content = f'<p class="fault" role="alert">{escape(error.sentence)}</p>'
    if error.status in _AGAIN:
        content += f'\n<p><a href="{escape(visit.root)}/login">Log in</a></p>'
    return _page(visit, HTTPStatus(error.status).phrase, content, error.status, headers)


def login_page(visit: Visit, then: str, *, error: RefusedError | None = None) -> Response:
    """The form to log in, which leads to the path `then`."""
    alert = f'<p class="fault" role="alert">{escape(error.sentence)}</p>\n' if error else ""
    content = _LOGIN.format(alert=alert, root=escape(visit.root), next=escape(then))
    if error is None:
        return _page(visit, "Log in", content, 200, {})
    return _page(visit, "Log in", content, error.status, dict(error.headers))


def logged_out(visit: Visit, end_url: str | None) -> Response:
    """The page after a logout, with a link to end what a provider knows at `end_url`."""
    content = _LOGGED_OUT.format(root=escape(visit.root))
    if end_url is not None:
        content += _ALSO_THERE.format(url=escape(end_url))
    return _page(visit, "Logged out", content, 200, {})


def to_login(visit: Visit) -> Response:
    """To the form, and from there to the page that was asked for."""
    asked = visit.root + visit.path
    if query := visit.scope.get("query_string", b"").decode("latin-1"):
        asked += f"?{query}"
    return see_other(f"{visit.root}/login?next={quote(asked, safe='')}")


def see_other(where: str, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """Go on by GET."""
    answer = RedirectResponse(where, 303)
    for name, value in headers:
        answer.headers.append(name, value)
    return answer


def inside(visit: Visit, path: str) -> str:
    """A path that a form or a link named, where it is one of ours; else that of the first page."""
    plain = path.isascii() and path.isprintable() and not set(path) & set("\\ \"'<>")
    ours = path.startswith(f"{visit.root}/") and not path.startswith("//") and "/../" not in path
    return path if plain and ours else f"{visit.root}/"


def _page(visit: Visit, title: str, content: str, status: int, headers: dict[str, str]) -> Response:
    text = _PAGE.format(title=escape(title), root=escape(visit.root), content=content)
    return HTMLResponse(text, status, headers)
