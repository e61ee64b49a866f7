"""What a call asks for, and how the platform refuses it. Performs no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

Edition = Literal["v1", "v2", "ka"]
_PAGE_SIZE: Final = 20


class UnreadableError(Exception):
    """A request that lacks what the page asks for; the text says what."""


class NotFoundError(Exception):
    """Nothing has the id that was asked for; no page says how the platform answers then."""


class RefusedError(Exception):
    """The call did nothing, and says so in its `data` under a 200.

    docs/platform/api.md#verdict-within-data
    """

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__()
        self.data = data


def refusal(code: str, text: str, *, text_name: str = "errorMessage") -> RefusedError:
    """The usual refusal; `text_name` is how the page of the call names the reason."""
    return RefusedError({"success": False, "errorCode": code, text_name: text})


@dataclass(frozen=True, slots=True)
class PageOf:
    """Which page of a list, and how many entries a page has."""

    number: int
    size: int

    @property
    def part(self) -> slice:
        """Which entries of the list the page holds."""
        return slice((self.number - 1) * self.size, self.number * self.size)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of one call, from wherever they came; values of a query are text.

    Each method raises `UnreadableError` where a parameter is missing or is of another type.
    """

    edition: Edition
    parameters: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    in_query: bool = False

    def given(self, *names: str) -> Any:
        """The first of the parameters that is there; None where none is."""
        values = (self.parameters.get(name) for name in names)
        return next((value for value in values if value not in (None, "", [])), None)

    def text(self, *names: str) -> str:
        """A required text."""
        value = self.given(*names)
        if not isinstance(value, str):
            raise UnreadableError(f"{' or '.join(names)} must be a string")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A text that may be left out."""
        return None if self.given(name) is None else self.text(name)

    def named(self, *names: str) -> str:
        """A required id that may be a text or an integer, by edition."""
        value = self.given(*names)
        return str(value) if _is_integer(value) else self.text(*names)

    def integer(self, *names: str, lowest: int = 0, highest: int | None = None) -> int:
        """A required integer within the limits of the page."""
        value = self.given(*names)
        if self.in_query and isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if not _is_integer(value):
            raise UnreadableError(f"{' or '.join(names)} must be an integer")
        if value < lowest or (highest is not None and value > highest):
            raise UnreadableError(f"{' or '.join(names)} is out of range")
        return int(value)

    def integers(self, name: str, *, highest: int | None = None) -> list[str]:
        """A required list of integer ids, as text."""
        values = self._entries(name, highest)
        if not all(map(_is_integer, values)):
            raise UnreadableError(f"{name} must be integers")
        return [str(value) for value in values]

    def texts(self, name: str, *, highest: int | None = None) -> list[str]:
        """A required list of texts."""
        values = self._entries(name, highest)
        if not all(isinstance(value, str) for value in values):
            raise UnreadableError(f"{name} must be strings")
        return values

    def maybe_texts(self, name: str, *, highest: int) -> list[str]:
        """A list of texts that may be left out."""
        return [] if self.given(name) is None else self.texts(name, highest=highest)

    def parts(self, name: str, *, highest: int | None = None) -> list[Asked]:
        """A required list of objects."""
        values = self._entries(name, highest)
        if not all(isinstance(value, dict) for value in values):
            raise UnreadableError(f"{name} must be objects")
        return [Asked(self.edition, value) for value in values]

    def part(self, name: str) -> dict[str, Any]:
        """A required object."""
        value = self.given(name)
        if not isinstance(value, dict):
            raise UnreadableError(f"{name} must be an object")
        return value

    def from_json(self, name: str) -> Asked:
        """The required JSON that a text holds, as the parameter of that name."""
        try:
            return Asked(self.edition, {name: json.loads(self.text(name))})
        except ValueError as error:
            raise UnreadableError(f"{name} must be JSON as a string") from error

    def page(self, number: str, *, highest: int | None = None, required: bool = True) -> PageOf:
        """The page that `number` (from 1) and `pageSize` name; the first where both may be absent.

        `highest` is the most entries that a page may have.
        """
        if not required:
            defaults = {number: 1, "pageSize": _PAGE_SIZE} | self._without_nulls()
            return replace(self, parameters=defaults).page(number, highest=highest)
        size = self.integer("pageSize", lowest=1, highest=highest)
        return PageOf(self.integer(number, lowest=1), size)

    def _without_nulls(self) -> dict[str, Any]:
        return {name: value for name, value in self.parameters.items() if value is not None}

    def _entries(self, name: str, highest: int | None) -> list[Any]:
        values = self.given(name)
        if not isinstance(values, list):
            raise UnreadableError(f"{name} must be a list")
        if highest is not None and len(values) > highest:
            raise UnreadableError(f"{name} has more than {highest} entries")
        return values


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
