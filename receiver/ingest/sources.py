"""The configured sources of a running receiver; they can be exchanged without a pause."""

from __future__ import annotations

from collections.abc import Iterable

from receiver.settings import SourceSettings


class Sources:
    """Looks a source up by its name. A delivery under way keeps the source it began with."""

    def __init__(self, sources: Iterable[SourceSettings]) -> None:
        self._by_name = {source.name: source for source in sources}

    def get(self, name: str) -> SourceSettings | None:
        """The source of that name."""
        return self._by_name.get(name)

    def exchange(self, sources: Iterable[SourceSettings]) -> None:
        """Use these from the next delivery on."""
        self._by_name = {source.name: source for source in sources}
