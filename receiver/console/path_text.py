"""A part of a path in which stands whatever a sender wrote, line ends too."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor

TEXT: Final = "text"
"""The name of the convertor; Starlette's `path` ends where a line does."""


class TextConvertor(Convertor[str]):
    """One or more characters of any kind."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        """The text itself."""
        return value

    def to_string(self, value: str) -> str:
        """The text itself."""
        return value


register_url_convertor(TEXT, TextConvertor())
