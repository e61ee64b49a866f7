"""What keeps nothing from running and leaves a door open: readable or weak secrets, no proof."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from receiver.settings import Settings
from receiver.settings.file import read_toml, settings_file
from receiver.settings.networks import is_loopback
from receiver.settings.secret_files import secret_files

SHORT_CHARS: Final = 8
"""A secret with fewer characters is warned of."""
_SECRETS: Final = frozenset({"secret", "secrets", "path_token", "proxy_secret", "client_secret"})


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


def exposed_files(settings: Settings) -> Iterator[str]:
    """What to do where a file that holds one secret, or a private key, is open to every user."""
    for setting, file in secret_files(settings):
        try:
            mode, flags = file.stat().st_mode, os.statvfs(file).f_flag
        except OSError:
            continue  # reported where it is read
        if open_to_all(mode, flags):
            yield (
                f"{setting}: every user of this machine may read {file} (mode {mode & 0o777:o}): "
                f"chmod o= {file}"
            )


def open_to_all(mode: int, mount_flags: int) -> bool:
    """Whether others may read a file. On a read-only mount, as orchestrators give secrets to a
    container, its mode is not ours to change, and no other user is there.
    """
    return bool(mode & stat.S_IROTH) and not mount_flags & os.ST_RDONLY


def weak_protection(settings: Settings) -> Iterator[str]:
    """What to change where a secret could be guessed, or where anyone may send callbacks."""
    for source in settings.sources:
        if any(len(secret.get_secret_value()) < SHORT_CHARS for secret in source.secrets):
            yield (
                f"sources: {source.name} has a secret of fewer than {SHORT_CHARS} characters, "
                "which can be guessed: ask the platform for a longer one"
            )
        if source.verification == "none" and not is_loopback(settings.receiver.host):
            yield (
                f'sources: {source.name} has verification = "none", and receiver.host is '
                f"{settings.receiver.host}: whoever reaches it can store callbacks: set "
                '"signature" or "path_token", or receiver.host = "127.0.0.1"'
            )
    console = settings.console
    if console.auth == "token" and not is_loopback(console.host) and not console.trusted_proxies:
        yield (
            f"console.host is {console.host}, where users send their tokens by plain HTTP: have "
            "a proxy add TLS, and name it in console.trusted_proxies"
        )
    api = settings.api
    if api is not None and len(api.secret.get_secret_value()) < SHORT_CHARS:
        yield (
            f"api.secret has fewer than {SHORT_CHARS} characters, which can be guessed: "
            "ask the platform for a longer one"
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
