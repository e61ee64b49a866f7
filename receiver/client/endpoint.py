"""A call of the API as a row of data: how it is sent in each edition, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import quote

from receiver.errors import InvalidRequestError

Edition = Literal["v1", "v2", "ka"]
Method = Literal["GET", "POST"]
Certainty = Literal["documented", "client code", "upstream", "inferred", "unknown"]
"""The marks of docs/platform/README.md#certainty-marks: a platform's page, a public client, the
upstream's page, a conclusion, nothing. An unknown path is no more than a guess to start from."""

_PART: Final = re.compile(r"\{(\w+)\}")
_PATH_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Route:
    """The method and the path of a call in one edition; `{name}` in a path is a parameter."""

    certainty: Certainty
    method: Method
    path: str


documented: Final = partial(Route, "documented")
seen: Final = partial(Route, "client code")
inferred: Final = partial(Route, "inferred")
guessed: Final = partial(Route, "unknown")
"""A path that was found nowhere: a placeholder that `[api.paths]` replaces."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the platform's menu.

    `row` is its title in the table under the heading `source`. `reply` says how sure the fields of
    the reply are. `changes_state` is true of every call that must not be repeated blindly, whatever
    its method (docs/platform/api.md#repeating-a-call). `refusals` is what the codes of its inner
    verdict mean. `name` is `<channel>_<group>_<method>`, given by the group that holds the row: it
    names the row in `[api.paths]`, errors and logs.
    """

    summary: str
    routes: Mapping[Edition, Route]
    source: str
    row: str
    reply: Certainty
    changes_state: bool = False
    limits: tuple[str, ...] = ()
    """What the platform or its upstream allows, as far as the request cannot check it."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    success: tuple[int, ...] = (200,)
    also_in_query: tuple[str, ...] = ()
    """Parameters of a POST that are sent in the query too."""
    signed_in_query: bool = False
    """Whether `timestamp` and `sign` in the query take the place of the signed headers."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent: a query, and for a POST a JSON object or a form with files."""

    method: Method
    path: str
    query: dict[str, str]
    body: dict[str, Any] | None = None
    files: dict[str, bytes] | None = None


def outgoing(endpoint: Endpoint, route: Route, arguments: Mapping[str, Any]) -> Outgoing:
    """Where each argument goes: into the path, the query of a GET, the body of a POST."""
    rest = dict(arguments)
    path = _PART.sub(lambda part: _path_part(endpoint, part[1], rest), route.path)
    if route.method == "GET":
        return Outgoing("GET", path, {name: _query_text(value) for name, value in rest.items()})
    query = {name: _query_text(rest[name]) for name in endpoint.also_in_query if name in rest}
    files = {name: value for name, value in rest.items() if isinstance(value, bytes)}
    if not files:
        return Outgoing("POST", path, query, body=rest)
    fields = {name: value for name, value in rest.items() if name not in files}
    return Outgoing("POST", path, query, body=fields, files=files)


def _path_part(endpoint: Endpoint, name: str, arguments: dict[str, Any]) -> str:
    """An argument as one part of a path, where dots and slashes would lead elsewhere."""
    value = str(arguments.pop(name, ""))
    if not _PATH_ID.fullmatch(value):
        raise InvalidRequestError(f"{endpoint.name}: {name}: letters, digits, - and _ alone")
    return quote(value, safe="")


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_query_text, value))
    return str(value)
