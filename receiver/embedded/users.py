"""The two users of an embedded server, and what each of them may do (docs/subscribing.md)."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from receiver.bus.subjects import Subjects
from receiver.embedded.server_urls import ServerUrls
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.private_files import close_to_others, replace_private

OPERATOR: Final = "yizhan"
SUBSCRIBER: Final = "subscriber"
FILE: Final = "nats-users.toml"
_SECRET_BYTES: Final = 32
_FIT: Final = re.compile(r"[\w-]{16,256}", re.ASCII)
"""What needs no quoting in a URL."""
_AUTHORIZATION_S: Final = 10
"""How long a client may take to say who it is: a busy process needs more than the usual second."""


@dataclass(frozen=True, slots=True)
class Users:
    """Their passwords."""

    operator: str = field(repr=False)
    subscriber: str = field(repr=False)

    @classmethod
    def made(cls) -> Users:
        """New ones, 256 random bits each."""
        return cls(secrets.token_hex(_SECRET_BYTES), secrets.token_hex(_SECRET_BYTES))

    @classmethod
    def of(cls, urls: ServerUrls) -> Users | None:
        """Those that stand in the URLs; None where the server is open."""
        operator = urlsplit(urls.operator).password
        subscriber = urlsplit(urls.subscriber).password
        return cls(operator, subscriber) if operator and subscriber else None

    def urls(self, url: str) -> ServerUrls:
        """The URLs of the server at `url`, which names no user."""
        scheme, _, address = url.partition("://")
        return ServerUrls(
            f"{scheme}://{OPERATOR}:{self.operator}@{address}",
            f"{scheme}://{SUBSCRIBER}:{self.subscriber}@{address}",
        )


def have_users(data_dir: Path) -> bool:
    """Whether users were made for a server on this directory."""
    return (data_dir / FILE).exists()


def kept_users(data_dir: Path, known: Users | None = None) -> Users:
    """The users of the directory: `known`, else those of its file.

    Where the file is lost or damaged it is written anew, of `known` or of new passwords.
    Raises `OSError`, and `ConfigurationError` where the file may not be read.
    """
    file = data_dir / FILE
    reason, kept = "none", None
    try:
        close_to_others(file)
        kept = _read(file)
    except FileNotFoundError:
        pass
    except (ValueError, LookupError, TypeError):
        reason = "damaged"
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}: make it readable for this user, "
            "or delete it, and new passwords are made"
        ) from error
    if kept is not None:
        return known or kept
    users = known or Users.made()
    replace_private(file, f'{OPERATOR} = "{users.operator}"\n{SUBSCRIBER} = "{users.subscriber}"\n')
    log = get_logger("yizhan.bus")
    unexpected = known is not None or reason == "damaged"
    (log.warning if unexpected else log.info)("nats_users_written", file=str(file), before=reason)
    return users


def _read(file: Path) -> Users:
    values = tomllib.loads(file.read_text(encoding="utf-8"))
    users = Users(values[OPERATOR], values[SUBSCRIBER])
    if not (_FIT.fullmatch(users.operator) and _FIT.fullmatch(users.subscriber)):
        raise ValueError("passwords of 16 or more letters, digits, '-' or '_' are needed")
    return users


def authorization(users: Users, subjects: Subjects) -> str:
    """The block of a nats-server's configuration that lets in these two alone."""
    block = {
        "timeout": _AUTHORIZATION_S,
        "users": [
            {"user": OPERATOR, "password": users.operator},
            {
                "user": SUBSCRIBER,
                "password": users.subscriber,
                "permissions": subscriber_permissions(subjects),
            },
        ],
    }
    return f"authorization {json.dumps(block, ensure_ascii=False)}"


def subscriber_permissions(subjects: Subjects) -> dict[str, Any]:
    """Reading events, live or by a consumer; what that still allows: docs/subscribing.md."""
    stream = subjects.stream
    return {
        "publish": [
            "$JS.API.INFO",
            f"$JS.API.STREAM.INFO.{stream}",
            f"$JS.API.CONSUMER.CREATE.{stream}.>",
            f"$JS.API.CONSUMER.INFO.{stream}.>",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.>",
            f"$JS.ACK.{stream}.>",
        ],
        "subscribe": [subjects.all_events, subjects.all_replayed, "_INBOX.>"],
    }
