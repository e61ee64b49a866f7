"""The parts of a page that are read apart: one that cannot be read takes none of the others."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from receiver.errors import BusError

FoundT = TypeVar("FoundT")


class Parts:
    """Reads parts; `missing` are the sentences of those that could not be read, each once."""

    def __init__(self) -> None:
        self.missing: tuple[str, ...] = ()

    async def read(self, asked: Awaitable[FoundT]) -> FoundT | None:
        """The part; None where it cannot be read."""
        try:
            return await asked
        except BusError as error:
            self.note(str(error))
            return None

    def note(self, *sentences: str) -> None:
        """Add what else could not be read."""
        self.missing = tuple(dict.fromkeys((*self.missing, *sentences)))


def uncounted(document: Mapping[str, Any]) -> list[str]:
    """Why a document of what processes count (`Desk.counted`) says nothing of them; empty where it
    does.
    """
    return [sentence for sentence in document["missing"] if sentence.startswith("processes:")]
