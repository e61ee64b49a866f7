"""The rows of the platform's menu as a shell shows them. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from receiver.cli.api.fields import fields_of, types_in
from receiver.client.call import AnyCall, PagedCall
from receiver.client.calls.registry import GROUPS
from receiver.client.endpoint import Route
from receiver.errors import ConfigurationError
from schemas.values import Money

ROWS: Final[Mapping[str, AnyCall]] = MappingProxyType(
    {f"{name}.{call.method}": call for name, group in GROUPS.items() for call in group.calls}
)
"""Every row by the name of its method on `PlatformAPI`."""


def row_named(name: str) -> AnyCall:
    """The row of that name; raises `ConfigurationError`."""
    if name in ROWS:
        return ROWS[name]
    near = get_close_matches(name, ROWS, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}?" if near else "yizhan api lists them all"
    raise ConfigurationError(f"{name}: no such row: {meant}")


def summary_of(name: str, call: AnyCall, routes: Mapping[str, Route]) -> dict[str, Any]:
    """What a list shows of a row; the route is null where the edition has no such call."""
    row, route = call.endpoint, routes.get(call.endpoint.name)
    return {
        "row": name,
        "summary": row.summary,
        "changes_state": row.changes_state,
        "certainty": None if route is None else route.certainty,
        "method": None if route is None else route.method,
        "path": None if route is None else route.path,
    }


def details_of(name: str, call: AnyCall, routes: Mapping[str, Route]) -> dict[str, Any]:
    """All that is known of a row: its fields, its limits and refusals, its reply."""
    row = call.endpoint
    return {
        **summary_of(name, call, routes),
        "fields": [
            {
                "option": field.option,
                "kind": field.kind,
                "required": field.required,
                "rules": list(field.rules),
            }
            for field in fields_of(call)
        ],
        "limits": list(row.limits),
        "refusals": dict(row.refusals),
        "reply": {
            "model": call.reply.__name__,
            "form": _form(call),
            "certainty": row.reply,
            "fields": reply_fields(call.reply),
        },
        "source": row.source,
        "setting": f"api.paths.{row.name}",
    }


def _form(call: AnyCall) -> str:
    return "pages" if isinstance(call, PagedCall) else "list" if call.is_list else "object"


def reply_fields(model: type[BaseModel], around: tuple[type, ...] = ()) -> dict[str, Any]:
    """The fields of a reply by name: a word for a value, an object for a model, [it] for a list."""
    return {
        name: _shown(info.annotation, (*around, model)) for name, info in model.model_fields.items()
    }


def _shown(annotation: Any, around: tuple[type, ...]) -> Any:
    first = next(types_in(annotation))
    if get_origin(first) in {tuple, list}:
        return [_shown(get_args(first)[0], around)]
    if isinstance(first, type) and issubclass(first, BaseModel) and first is not Money:
        return first.__name__ if first in around else reply_fields(first, around)
    return getattr(first, "__name__", str(first)).lower()
