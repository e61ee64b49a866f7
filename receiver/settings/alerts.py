"""The section `[alerts]`."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from receiver.settings.section import Section
from receiver.settings.values import has_host_and_port, refuse_placeholder

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


class AlertsSettings(Section):
    """Where alerts go without Prometheus.

    With a `url`, `yizhan up` and `yizhan metrics` post there what begins and what ends, signed by
    `secret` (Standard Webhooks), which may stand in `secret_file`. `runbook` is where
    docs/runbook.md is read: each alert links to its section.
    """

    url: str | None = Field(default=None, repr=False)
    secret: SecretStr | None = Field(default=None, repr=False)
    secret_file: Path | None = Field(default=None, repr=False)
    runbook: str = "docs/runbook.md"

    @property
    def key(self) -> bytes:
        """What posts are signed by, where there is a `url`."""
        assert self.secret is not None
        return webhook_key(self.secret.get_secret_value())

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and has_host_and_port(value)
            if not usable or "@" in parts.netloc or parts.fragment:
                raise ValueError("write a URL with http or https and a host, without credentials")
        return value

    @field_validator("secret")
    @classmethod
    def _fits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            refuse_placeholder(value.get_secret_value(), "set alerts.secret_file")
            webhook_key(value.get_secret_value())
        return value

    @field_validator("runbook")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if not value.isprintable() or not value or {" ", "#", "'", '"', "{"} & set(value):
            raise ValueError("write a URL or a path without an anchor")
        return value

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.secret is not None and self.secret_file is not None:
            raise ValueError("secret and secret_file exclude each other: set one")
        if self.url is not None and self.secret is None and self.secret_file is None:
            raise ValueError(f'add a secret: write "{_PREFIX}" and the base64 of 24 to 64 bytes')
        return self


def webhook_key(secret: str) -> bytes:
    """The bytes of a secret of Standard Webhooks; raises `ValueError` for anything else."""
    wanted = f'write "{_PREFIX}" and the base64 of 24 to 64 bytes'
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise ValueError(wanted) from None
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError(wanted)
    return key
