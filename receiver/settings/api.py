"""The section `[api]`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from receiver.settings.section import Section
from receiver.settings.values import (
    refuse_placeholder,
)


class APISettings(Section):
    """The platform's API. `paths` overrides any endpoint's path by the endpoint's name.

    `timeout_s` bounds one try from connecting to the last byte; `connect_timeout_s` and
    `read_timeout_s` (between two parts of an answer) bound parts of it. `retry_pause_s` is the
    longest pause before the second try, and doubles. `settle_s` is how long after a call of unknown
    outcome the platform may still be working on it. `metrics_port` is where the process that runs
    the handlers serves what it counts, on `receiver.host`. `secret` may stand in a file instead,
    `secret_file`: `load_settings` reads it.
    """

    base_url: str = "https://api.pandapon.com"
    edition: Literal["v1", "v2", "ka"] = "v2"
    access_key: str = Field(min_length=1)
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
    user_id: str = ""
    timestamp_unit: Literal["ms", "s"] = "ms"
    rate_per_s: float = Field(default=5.0, gt=0)
    concurrency: int = Field(default=16, ge=1, le=1024)
    timeout_s: float = Field(default=10.0, gt=0)
    connect_timeout_s: float = Field(default=3.0, gt=0)
    read_timeout_s: float = Field(default=8.0, gt=0)
    tries: int = Field(default=4, ge=1, le=10)
    retry_pause_s: float = Field(default=0.5, gt=0)
    breaker_failures: int = Field(default=10, ge=1)
    breaker_pause_s: float = Field(default=10.0, gt=0)
    settle_s: float = Field(default=30.0, ge=0)
    clock: Literal["local", "server"] = "local"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    paths: dict[str, str] = Field(default={})

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("write a URL that begins with https:// (or http:// for a test)")
        return value.rstrip("/")

    @field_validator("secret")
    @classmethod
    def _own_secret(cls, value: SecretStr) -> SecretStr:
        instead = 'write secret_file = "...", or give YIZHAN_API__SECRET'
        refuse_placeholder(value.get_secret_value(), instead)
        return value

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if bool(self.secret.get_secret_value()) == (self.secret_file is not None):
            raise ValueError('write either secret = "..." or secret_file = "..."')
        return self
