"""Whether others on this machine can read the secrets in the settings file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from receiver.settings import read_toml, settings_file

_SECRETS: Final = frozenset({"secret", "secrets", "path_token"})


def exposed_secrets(config: Path | None) -> str:
    """What to do where the settings file holds secrets and group or others may read it; else empty.

    A file of another owner is passed over: without those rights we could not read it, as a mounted
    secret, or `/etc/yizhan.toml` of root and our group. So is a pipe, which is read only once.
    Raises `ConfigurationError`.
    """
    file = settings_file(config)
    if file is None or not file.is_file() or not _holds_secrets(read_toml(file)):
        return ""
    status = file.stat()
    ours = os.geteuid() in {0, status.st_uid}
    if not (ours and status.st_mode & 0o077):
        return ""
    return (
        f"{file} holds secrets, and its mode {status.st_mode & 0o777:o} lets others in: "
        f"chmod 600 {file}"
    )


def _holds_secrets(value: Any) -> bool:
    if isinstance(value, dict):
        return any(
            (name in _SECRETS and bool(inner)) or _holds_secrets(inner)
            for name, inner in value.items()
        )
    if isinstance(value, list):
        return any(map(_holds_secrets, value))
    return isinstance(value, str) and "@" in value.partition("://")[2]  # a user in a URL
