"""One call of the API: name, parameters, paths by edition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from receiver.errors import APIRejectedError

_MAX_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its name in our settings and logs, its method, its path by edition.

    A GET sends its parameters as the query, a POST as a JSON object; a path never holds one.
    `integers` are the parameters that the table says are `int`: bare numbers in a JSON body.
    """

    name: str
    method: Literal["GET", "POST"]
    paths: Mapping[Edition, str]
    integers: frozenset[str] = frozenset()

    def arguments(self, parameters: Parameters) -> dict[str, str | int]:
        """What is sent; raises `APIRejectedError` for a value that the platform could not read."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return {name: self._argument(name, value) for name, value in given.items()}

    def _argument(self, name: str, value: str) -> str | int:
        if not _is_unicode(value):
            raise APIRejectedError(f"{self.name}: {name} is not valid text, so it was not sent")
        if name not in self.integers:
            return value
        # A leading zero would be lost, and then it would be another id.
        if not (value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS) or (
            value != str(int(value))
        ):
            raise APIRejectedError(f"{self.name}: {name} must be a whole number")
        return int(value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


Edition = Literal["v1", "v2", "ka"]
Parameters = Mapping[str, str | None]
"""What a call is given, by the platform's names; None is left out."""
