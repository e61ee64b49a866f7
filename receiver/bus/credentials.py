"""How a client gets into NATS: URLs, credentials, keys and TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from receiver.errors import ConfigurationError
from receiver.settings.values import read_secret


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What a client proves itself with and checks the server by; all may be left out.

    `user` has its password in `password_file`; else a user and password, or a token, stand in the
    URL. Of several servers it tries one at random first, or those of the URL `in_order`.
    """

    user: str | None = None
    password_file: Path | None = None

    credentials_file: Path | None = None
    nkey_seed_file: Path | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    in_order: bool = False

    def options(self) -> dict[str, Any]:
        """What nats-py's `connect` takes; raises `ConfigurationError` where a file is unfit."""
        for name in ("credentials_file", "nkey_seed_file"):
            file: Path | None = getattr(self, name)
            if file is not None and not file.is_file():
                raise ConfigurationError(f"nats.{name}: {file}: no such file")
        password = self.password_file
        found = {
            "user": self.user,
            "password": password and read_secret("nats.password_file", password),
            "user_credentials": self.credentials_file and str(self.credentials_file),
            "nkeys_seed": self.nkey_seed_file and str(self.nkey_seed_file),
            "tls": self._tls(),
            "dont_randomize": self.in_order or None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def _tls(self) -> ssl.SSLContext | None:
        if self.tls_ca_file is None and self.tls_cert_file is None:
            return None  # for tls:// the system's authorities count
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file)
            if self.tls_cert_file is not None:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            raise ConfigurationError(
                f"nats.tls_ca_file, nats.tls_cert_file, nats.tls_key_file: {reason}: "
                "name PEM files that can be read"
            ) from error
        return context


def servers(url: str) -> list[str]:
    """The single URLs of a setting that may name several, with commas between."""
    return [part.strip() for part in url.split(",") if part.strip()]


def without_credentials(url: str) -> str:
    """The same URLs, fit for a log line."""
    return ",".join(map(_without_credentials, servers(url)))


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
