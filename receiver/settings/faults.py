"""What is wrong with settings, in sentences that say what to write. Performs no I/O.

No sentence shows a value that may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from receiver.settings.handlers import HandlerSettings

JSON_VARIABLES: Final[Mapping[str, str]] = {
    "YIZHAN_SOURCES": '[{"name": "shop", "dialect": "xport", "verification": "path_token", '
    '"path_token": "..."}]',
    "YIZHAN_HANDLERS__LOAD": '["handlers:router", "my_handlers:router"]',
    "YIZHAN_RECEIVER__TRUSTED_PROXIES": '["10.0.0.0/8"]',
    "YIZHAN_CONSOLE__USERS": '[{"name": "me", "role": "operator"}]',
    "YIZHAN_CONSOLE__TRUSTED_PROXIES": '["10.0.0.5"]',
    "YIZHAN_API__PATHS": '{"alibaba_orders_detail": "/v2/order/detail"}',
}
"""The variables whose value is JSON, each with an example: lists and tables."""

_LISTS: Final[Mapping[str, str]] = {
    "load": '["handlers:router"]',
    "secrets": '["..."]',
    "secret_files": '["/run/secrets/shop"]',
    "trusted_proxies": '["10.0.0.0/8"]',
    "allow_networks": '["10.0.0.0/8"]',
}

_NUMBERS: Final[Mapping[str, str]] = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
}


def explain(fault: ErrorDetails, sections: Mapping[str, type[BaseModel]]) -> str:
    """One fault that pydantic found, as `nats.port: ...`; `sections` are the models by name, which
    for a section within another is `handlers.ship_it`.
    """
    name = ""
    for part in fault["loc"]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    if fault["type"] == "extra_forbidden":
        return f"{name}: no such setting{_did_you_mean(fault['loc'], sections)}"
    if fault["type"] == "missing":
        return f"{name}: is missing: add it"
    if fault["type"] == "tuple_type":
        return f"{name}: is no list: write {_as_list(str(fault['loc'][-1]))}"
    if fault["type"] == "model_type" and fault["loc"][0] == "handlers":
        near = _did_you_mean(fault["loc"], sections)
        return f"{name}: no such setting{near}; one handler's settings stand in [handlers.NAME]"
    if fault["type"] == "model_type":
        return f"{name}: is no section: write [{name}], and its keys on lines of their own"
    if fault["type"] in _NUMBERS:
        return f"{name}: write {_NUMBERS[fault['type']]}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in {"less_than_equal", "greater_than_equal", "less_than", "greater_than"}:
        message = message.replace("Input should be", "write a number")
    message = message.replace("Input should be", "write")
    return f"{name}: {message[0].lower()}{message[1:]}"


def unknown_variables(
    environ: Mapping[str, str], sections: Mapping[str, type[BaseModel]]
) -> Iterator[str]:
    """A sentence for each variable `YIZHAN_...` that names no section."""
    known = [f"YIZHAN_{name.upper()}" for name in sections]
    for name in environ:
        upper = name.upper()
        if not upper.startswith("YIZHAN_") or upper == "YIZHAN_CONFIG":
            continue
        if upper.split("__")[0] not in known:
            near = get_close_matches(upper, known, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]}?" if near else ""
            yield f"the environment: {name} names no setting{hint}"


def not_json(environ: Mapping[str, str]) -> str:
    """A sentence for the variable whose value has to be JSON and is not."""
    for name, text in environ.items():
        example = JSON_VARIABLES.get(name.upper())
        if example is not None and not _is_json(text):
            return f"the environment: {name} is no JSON: write {name}='{example}'"
    return "the environment: a variable of a list or a table is no JSON: write it as JSON"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _as_list(name: str) -> str:
    if name in _LISTS:
        return f"{name} = {_LISTS[name]}, with brackets"
    return f"[[{name}]], with two brackets"


def _did_you_mean(loc: tuple[int | str, ...], sections: Mapping[str, type[BaseModel]]) -> str:
    above = ".".join(part for part in loc[:-1] if isinstance(part, str))
    section = sections.get(above)
    if section is None and above.startswith("handlers."):
        section = HandlerSettings
    known = list(sections) if section is None else list(section.model_fields)
    near = get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
    return f": did you mean {near[0]}?" if near else f": known are {', '.join(known)}"
