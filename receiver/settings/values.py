"""The values of single settings: what fits, and how a fault says what to write.

Performs no I/O but in `read_secret`, which reads one file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from receiver.errors import ConfigurationError

_URL_MARKS: Final = "-._~!$&'()*+,;=:@"
"""What may stand in a part of a URL's path as it is, beside letters and digits (RFC 3986)."""
_PLACEHOLDER: Final = re.compile(r"\$\{\w+\}")
_MAX_SECRET_BYTES: Final = 64 * 1024


def _nats_token(value: str) -> str:
    if not value or any(c in " .*>\t\r\n" for c in value) or not value.isprintable():
        raise ValueError("write letters, digits, '-' or '_': it becomes one token of a subject")
    return value


def _source_name(value: str) -> str:
    # Characters that mean something else in a URL: a sender would never reach the source.
    if any(c.isascii() and not c.isalnum() and c not in _URL_MARKS for c in value):
        raise ValueError("write letters, digits, '-' or '_': it becomes a part of a URL")
    return value


def _monitor_url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or not has_host_and_port(value):
        raise ValueError('write the `http` address of the server, such as "http://host:8222"')
    return value


SubjectToken = Annotated[str, Field(max_length=64), AfterValidator(_nats_token)]
SourceName = Annotated[SubjectToken, AfterValidator(_source_name)]
MonitorUrl = Annotated[str, AfterValidator(_monitor_url)]


def has_host_and_port(url: str) -> bool:
    """Whether a URL names a host, and a port that is a number if any."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # its text may hold a part of the password
        return False


def check_path_token(token: str) -> None:
    """Raise `ValueError` where a secret last part of a URL is short, or would not arrive as it is:
    percent-encoding and `//`, `.`, `..` may be resolved on the way, and `?` or `#` end the path.
    """
    if not 16 <= len(token) <= 256:
        raise ValueError("write 16 to 256 characters, for example from `openssl rand -hex 16`")
    fit = all((c.isascii() and (c.isalnum() or c in _URL_MARKS)) or c == "/" for c in token)
    if not fit or not {"", ".", ".."}.isdisjoint(token.split("/")):
        raise ValueError(
            "is changed by senders or proxies on its way in a URL: write letters, digits and "
            f"{_URL_MARKS} (and / between them, once at a time), for example from "
            "`openssl rand -hex 16`"
        )


def refuse_placeholder(value: str, instead: str) -> None:
    """Raise `ValueError` where a value holds `${NAME}`: no shell reads a settings file, so the text
    itself would be taken for the secret. `instead` says where the value may come from.
    """
    if found := _PLACEHOLDER.search(value):
        raise ValueError(f"{found[0]} is not replaced by a variable here: {instead}")


def read_secret(setting: str, file: Path) -> str:
    """The one secret in a file, without the newline at its end; raises `ConfigurationError`."""
    try:
        with file.open("rb") as opened:
            read = opened.read(_MAX_SECRET_BYTES + 1)
        text = read.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{setting}: {file}: cannot be read: {error.strerror}: "
            "mount the secret there, or name the file that holds it"
        ) from error
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{setting}: {file}: is not UTF-8: write the secret alone"
        ) from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise ConfigurationError(f"{setting}: {file}: is empty: write the secret into it")
    if "\n" in secret or len(read) > _MAX_SECRET_BYTES:
        raise ConfigurationError(
            f"{setting}: {file}: holds more than one line: write one secret, one file for each"
        )
    return secret
