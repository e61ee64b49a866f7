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
    parts = [part for part in raw_path.decode("latin-1").split("/") if part]
    if b"%" in raw_path:
        parts = [unquote(part) for part in parts]
    if len(parts) < 2 or parts[0] != _CALLBACKS:
        return "", None
    return parts[1], "/".join(parts[2:]) or None
