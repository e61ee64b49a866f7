"""What the options of a command may hold. A fault names its option and says what to write."""

from __future__ import annotations

import getpass
import socket
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from receiver.errors import ConfigurationError
from receiver.settings import NatsSettings

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def not_empty(name: str, value: str | None, *, write: str) -> None:
    """Raise `ConfigurationError` for `''`, such as an unset variable of a shell leaves behind."""
    if value is not None and not value.strip():
        raise ConfigurationError(f"{name}: is empty: {write}")


def http_url(name: str, url: str) -> str:
    """The base URL of a server, without a slash at its end; raises `ConfigurationError`."""
    try:
        parts = urlsplit(url)
        fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit = False
    if not fit or not url.isprintable() or " " in url:
        raise ConfigurationError(
            f"{name} {url!r}: is no URL of a receiver: write one such as http://127.0.0.1:8080"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"{name}: ends with a query or a fragment: write the scheme, host and port alone, "
            "such as http://127.0.0.1:8080"
        )
    return url.rstrip("/")


def writable_file(name: str, file: Path | None) -> None:
    """Raise `ConfigurationError` where `file` cannot be appended to; creates nothing."""
    if file is None:
        return
    if file.is_dir():
        raise ConfigurationError(f"{name} {file}: is a directory: name a file")
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"{name} {file}: there is no directory {file.parent}: create it, or name another file"
        )


def existing_data(nats: NatsSettings) -> None:
    """Raise `ConfigurationError` where a command that only looks would have to create what it
    looks at.
    """
    if not nats.data_dir.is_dir():
        raise ConfigurationError(
            f"nats.data_dir: {nats.data_dir} does not exist: run this where Yizhan was started, "
            "or give --config or YIZHAN_NATS__DATA_DIR as there"
        )


def check_can_ask(*, yes: bool) -> None:
    """Raise `ConfigurationError` where a command has to ask and there is no terminal to answer."""
    if not yes and not sys.stdin.isatty():
        raise ConfigurationError("there is no terminal to ask at: give --yes")


def who() -> str:
    """Who asks, as far as the system knows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
