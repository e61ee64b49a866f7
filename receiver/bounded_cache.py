"""A mapping that remembers the newest entries and forgets older ones, at the same cost for ever."""

from __future__ import annotations

from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class BoundedCache(Generic[ValueT]):
    """Remembers the newest `limit` entries at most, and half of them at least; 0 is none.

    Two dicts that take turns: to delete the oldest entry of one dict takes longer with every entry
    that was deleted before. Plain values in plain dicts are nothing that the garbage collector
    walks.
    """

    def __init__(self, limit: int) -> None:
        self._half = (limit + 1) // 2
        self._young: dict[str, ValueT] = {}
        self._old: dict[str, ValueT] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: str) -> ValueT | None:
        """The value that was put last, unless it is forgotten."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: str, value: ValueT) -> None:
        """Remember a value, as the newest."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        if self._half:
            self._young[key] = value

    def discard(self, key: str) -> None:
        """Forget one."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old = {}, {}
