"""What every request of the API is made of. Performs no I/O.

A request is checked when it is made: a value that breaks a rule which the pages state is refused
with a `ValueError` that names the rule's source, never the value. What is sent is what was given:
the page's keys in the page's order, nothing for None.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sized
from typing import Annotated, Any, Final, TypeVar, cast, dataclass_transform

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass

from schemas.values import MAX_ID_CHARS, Money

UPSTREAM_LIMITS: Final = "the upstream's limit, docs/platform/api.md#limits"
_CONFIG: Final = ConfigDict(
    alias_generator=to_camel,
    validate_by_name=True,
    validate_by_alias=True,
    extra="forbid",
    defer_build=True,  # at a start, of all the requests none is made
)
_MAX_DIGITS: Final = 19
RequestT = TypeVar("RequestT")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def request(model: type[RequestT]) -> type[RequestT]:
    """A frozen dataclass whose fields are given by name, in the order in which they are sent."""
    return cast(type[RequestT], dataclass(frozen=True, kw_only=True, config=_CONFIG)(model))


@dataclass_transform(frozen_default=True, field_specifiers=(Field,))
def short_request(model: type[RequestT]) -> type[RequestT]:
    """As `request`, for a few fields that can be given by position too."""
    return cast(type[RequestT], dataclass(frozen=True, config=_CONFIG)(model))


@short_request
class FreeRequest:
    """For a call whose parameters are not documented: `parameters` are sent as they are."""

    parameters: dict[str, Any]


def sent(parameters: Any) -> dict[str, Any]:
    """What is sent for a request: the page's names, whole numbers where the page has them.

    A model's `always_sent` are parameters that have one value only; they come first.
    """
    if isinstance(parameters, FreeRequest):
        parameters = parameters.parameters
    if isinstance(parameters, Mapping):
        return {name: value for name, value in parameters.items() if value is not None}
    dumped: dict[str, Any] = TypeAdapter(type(parameters)).dump_python(
        parameters, by_alias=True, exclude_none=True
    )
    return {**getattr(parameters, "always_sent", {}), **dumped}


@dataclasses.dataclass(frozen=True, slots=True)
class Rule(AfterValidator):
    """A check, and the rule that it checks in words."""

    text: str = ""


def numbered(lowest: int, highest: int | None, source: str) -> Rule:
    """A whole number from `lowest` to `highest`."""
    rule = f"{_span(lowest, highest)} ({source})"

    def check(value: int | None) -> int | None:
        if value is not None and not lowest <= value <= (value if highest is None else highest):
            raise ValueError(rule)
        return value

    return Rule(check, rule)


def sized(
    lowest: int, highest: int | None, what: str, source: str, *, may_be_empty: bool = False
) -> Rule:
    """A text or a list of `lowest` to `highest` parts, each of which is a `what`."""
    rule = f"{_span(lowest, highest)} {what} ({source})"

    def check(value: Sized | None) -> Sized | None:
        if value is None or (may_be_empty and not value):
            return value
        if not lowest <= len(value) <= (highest or len(value)):
            raise ValueError(rule)
        return value

    return Rule(check, rule)


def one_of(words: tuple[str, ...], source: str) -> Rule:
    """One of the words that the pages list, where the list is closed."""
    rule = f"one of {', '.join(words)} ({source})"

    def check(value: str | None) -> str | None:
        if value is not None and value not in words:
            raise ValueError(rule)
        return value

    return Rule(check, rule)


def _span(lowest: int, highest: int | None) -> str:
    if highest is None:
        return f"at least {lowest}"
    return f"at most {highest}" if lowest <= 0 else f"from {lowest} to {highest}"


def _unicode(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid text") from None
    return value


def _id_text(value: Any) -> Any:
    """An id may be given as the number it is; a float has lost its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: str) -> str:
    # A leading zero would be lost, and then it would be another id.
    digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
    if not digits or value != str(int(value)):
        raise ValueError("must be a whole number")
    return value


def _given(value: str) -> str:
    if not value.strip() or len(value) > MAX_ID_CHARS:
        raise ValueError(f"must be an id of 1 to {MAX_ID_CHARS} characters")
    return value


def _as_json(value: Any) -> Any:
    """What the page wants as JSON text, given as the object or list that it holds."""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _fen(value: Any) -> Any:
    if not isinstance(value, Money):
        return value
    if value.currency != "CNY":
        raise ValueError("must be in yuan")
    return int(value.amount * 100)


def as_json(model: Any) -> PlainSerializer:
    """Sends what is of `model` as JSON text."""

    def dump(value: Any) -> Any:
        return _as_json(TypeAdapter(model).dump_python(value, by_alias=True, exclude_none=True))

    return PlainSerializer(dump)


PlainText = Annotated[str, AfterValidator(_unicode)]
"""Text as it is sent."""
Id = Annotated[str, BeforeValidator(_id_text), AfterValidator(_unicode), AfterValidator(_given)]
"""An id that is sent as text."""
IntegerId = Annotated[
    str,
    BeforeValidator(_id_text),
    AfterValidator(_whole),
    PlainSerializer(int),
]
"""An id that is sent as a bare 64-bit integer, with every digit."""
OfferId = Annotated[Id, PlainSerializer(lambda value: int(value) if value.isdecimal() else value)]
"""An offer: a number is sent as one (edition v1), the opaque id of v2 as text."""
Fen = Annotated[int | Money, BeforeValidator(_fen), Field(ge=0)]
"""An amount that is sent as a whole number of fen: give fen, or `Money` in yuan."""
FenText = Annotated[int | Money, BeforeValidator(_fen), Field(ge=0), PlainSerializer(str)]
"""As `Fen`, sent as text."""
JsonText = Annotated[str, BeforeValidator(_as_json), AfterValidator(_unicode)]
"""JSON as text: give the text, or the object or list."""
PageNumber = Annotated[int, Field(ge=1)]
"""Pages are counted from 1."""
