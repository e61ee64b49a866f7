"""Tables of the generated pages. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable


def cell(text: str) -> str:
    """A text as it can stand in a cell."""
    return text.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table, with its head."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
