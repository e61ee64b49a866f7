"""What the options of a command may hold. A fault names its option and says what to write."""

from __future__ import annotations

import contextlib
import getpass
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from receiver.bus.read.filters import parse_time
from receiver.errors import ConfigurationError
from receiver.settings import NatsSettings

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@contextlib.contextmanager
def option(name: str) -> Iterator[None]:
    """Put the option's name before what a part of the engine says of its value."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def not_empty(name: str, value: str | None, *, write: str) -> None:
    """Raise `ConfigurationError` for `''`, such as an unset variable of a shell leaves behind."""
    if value is not None and not value.strip():
        raise ConfigurationError(f"{name}: is empty: {write}")


def time_range(since: str, until: str | None, now: datetime) -> tuple[datetime, datetime | None]:
    """The times of `--since` and `--until`; raises `ConfigurationError` where no event can lie
    between them.
    """
    first = past_time("--since", since, now)
    if until is None:
        return first, None
    with option("--until"):
        last = parse_time(until, now)
    if last <= first:
        raise ConfigurationError(
            f"--until {until}: is not after --since {since}: write the earlier time as --since"
        )
    return first, last


def past_time(name: str, text: str, now: datetime) -> datetime:
    """The time of an option that is not ahead of `now`; raises `ConfigurationError`."""
    with option(name):
        moment = parse_time(text, now)
    if moment > now:
        raise ConfigurationError(
            f"{name} {text}: is in the future: write an age such as 2h, or a time that has passed"
        )
    return moment


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
