"""Which source a path addresses, and with which token. Pure; every request is read here."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

_CALLBACKS: Final = "callbacks"


def read_callback_path(raw_path: bytes) -> tuple[str, str | None]:
    """The source and the path token in `/callbacks/{source}[/{path_token}]`, as they were before
    they were percent-encoded; an empty source for another path.

    A slash too many, as a joined URL may have it, changes nothing. A token may hold slashes,
    percent-encoded or not.
    """
    first, *rest = [part for part in raw_path.decode("latin-1").split("/") if part] or [""]
    if unquote(first) != _CALLBACKS or not rest:
        return "", None
    return unquote(rest[0]), unquote("/".join(rest[1:])) or None
