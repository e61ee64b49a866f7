"""The fields of a row's request as options of a command: their names, kinds and values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from receiver.client.call import AnyCall
from receiver.errors import ConfigurationError
from schemas.api.request import Rule

_NAMES: Final = {int: "NUMBER", bool: "true|false", datetime: "TIME", bytes: "FILE"}
_FROM_FILE: Final = "@"


class Field:
    """One field: `option` is how it is given, `kind` what is written there, `rules` what holds."""

    def __init__(self, name: str, hint: Any, default: Any, *, required: bool) -> None:
        self.name = name
        self.option = f"--{name.replace('_', '-')}"
        self.default = default
        self.required = required
        self.rules = tuple(dict.fromkeys(_rules(hint)))
        self._types = tuple(get_origin(held) or held for held in types_in(hint))

    @property
    def is_file(self) -> bool:
        """Whether a path is given, and the file is what is sent."""
        return bytes in self._types

    @property
    def kind(self) -> str:
        """What is to be written, in capitals, as an option's metavar."""
        names = [_NAMES.get(held, "TEXT") for held in self._types if not _is_structured(held)]
        if any(map(_is_structured, self._types)):
            names.append("JSON")
        return "|".join(dict.fromkeys(names))

    @property
    def help(self) -> str:
        """Its rules and its default."""
        default = "" if self.required or self.default is None else f"default {self.default}"
        return "; ".join(filter(None, [*self.rules, default]))

    def read(self, text: str) -> Any:
        """What an option's text stands for; raises `ConfigurationError`.

        A file's bytes where files are sent; what JSON text holds where a list or an object may
        stand; else the text, which the request reads. `@FILE` takes the text from a file.
        """
        if self.is_file:
            return self._bytes(text)
        if text.startswith(_FROM_FILE):
            text = self._text(text.removeprefix(_FROM_FILE))
        if not any(map(_is_structured, self._types)):
            return text
        if text.lstrip()[:1] not in {"[", "{"}:
            if len(self._types) > 1 or Any in self._types:
                return text
            raise ConfigurationError(f"{self.option}: write JSON, or @FILE that holds it")
        try:
            return json.loads(text)
        except ValueError as error:
            raise ConfigurationError(f"{self.option}: is no JSON: {error}") from None

    def _bytes(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{self.option}: {path}: cannot be read: {error.strerror}"
            ) from None

    def _text(self, path: str) -> str:
        try:
            return self._bytes(path).decode().strip()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{self.option}: {path}: is not text in UTF-8") from None


def fields_of(call: AnyCall) -> list[Field]:
    """The fields of a row's request, in the order in which they are sent."""
    hints = get_type_hints(call.request, include_extras=True)
    return [
        Field(each.name, hints[each.name], each.default, required=each.default is each.empty)
        for each in call.parameters()
    ]


def values_of(call: AnyCall, given: Mapping[str, str | None]) -> dict[str, Any]:
    """The arguments of a call from the texts of its options; raises `ConfigurationError`."""
    fields = {field.name: field for field in fields_of(call)}
    return {name: fields[name].read(text) for name, text in given.items() if text is not None}


def types_in(hint: Any) -> Iterator[Any]:
    """The types that a hint allows, without None."""
    if get_origin(hint) is Annotated:
        yield from types_in(get_args(hint)[0])
    elif get_origin(hint) in {Union, UnionType}:
        for part in get_args(hint):
            yield from types_in(part)
    elif hint is not NoneType:
        yield hint


def _is_structured(held: Any) -> bool:
    if held is Any or held in {list, dict, tuple}:
        return True
    return isinstance(held, type) and (is_dataclass(held) or issubclass(held, BaseModel))


def _rules(hint: Any) -> Iterator[str]:
    """What a hint demands of the field itself, in words."""
    if get_origin(hint) in {Union, UnionType}:
        for part in get_args(hint):
            yield from _rules(part)
    elif get_origin(hint) is Annotated:
        inner, *said = get_args(hint)
        yield from _rules(inner)
        for part in said:
            yield from _said(part)


def _said(part: Any) -> Iterator[str]:
    if isinstance(part, Rule):
        yield part.text
    elif isinstance(part, FieldInfo):
        for bound in part.metadata:
            if (lowest := getattr(bound, "ge", None)) is not None:
                yield f"at least {lowest}"
