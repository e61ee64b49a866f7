"""The sections `[[sources]]`: who may push, and how that is proved."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Literal, Self, get_args

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from receiver.settings.networks import Networks
from receiver.settings.section import Section
from receiver.settings.values import (
    SourceName,
    check_path_token,
    refuse_placeholder,
)

DialectName = Literal["xport", "aop", "global"]
"""The dialects that come with Yizhan; packages may offer others."""
DIALECT_GROUP: Final = "yizhan.dialects"
"""The entry points by which they do: the name is that of the settings."""
_BY_VARIABLE: Final = "write the value, or give the sources as YIZHAN_SOURCES"
Verification = Literal["signature", "path_token", "both", "none"]


def dialect_names() -> list[str]:
    """The dialects that the settings may name; no package is imported for it."""
    return [*get_args(DialectName), *sorted(entry_points(group=DIALECT_GROUP).names)]


class SourceSettings(Section):
    """One sender of callbacks: its wire format and how it proves itself.

    `access_key` is the app key for `aop` and `global`. Every one of `secrets` is accepted, to which
    `load_settings` adds what the `secret_files` hold, one secret each. `path_token_file` holds the
    `path_token`.
    `replay_check` is what becomes of a signature that was used for another body already;
    `retry_horizon_s` shortens for how long an old signature with a nonce is taken (`xport`),
    `max_age_s` how old a message may be whose signature covers its time (`aop`, `global`);
    `retry_every_s` is how far apart the platform sends a callback again, for metrics alone;
    `allow_networks`, where it is given, is the networks that deliveries may come from. What a
    `simulated` source sends is invented: its events are marked (`ce-simulated`).
    """

    name: SourceName
    dialect: str
    verification: Verification
    access_key: str | None = None
    secrets: tuple[SecretStr, ...] = ()
    secret_files: tuple[Path, ...] = ()
    path_token: SecretStr | None = None
    path_token_file: Path | None = None
    tolerance_s: int = Field(default=600, ge=1, le=86400)
    retry_horizon_s: int | None = Field(default=None, ge=0, le=9000)
    max_age_s: int | None = Field(default=None, ge=60)
    retry_every_s: int = Field(default=1800, ge=1, le=86400)
    replay_check: Literal["refuse", "mark", "off"] = "refuse"
    allow_networks: Networks = ()
    simulated: bool = False

    @field_validator("dialect")
    @classmethod
    def _offered(cls, value: str) -> str:
        known = dialect_names()
        if value not in known:
            raise ValueError(
                f"write one of {', '.join(known)}, or install the package that offers it"
            )
        return value

    @field_validator("secrets")
    @classmethod
    def _no_empty_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            refuse_placeholder(
                secret.get_secret_value(),
                'name a file in secret_files = ["..."], or give the sources as YIZHAN_SOURCES',
            )
        if any(not secret.get_secret_value() for secret in value):
            raise ValueError("holds an empty secret: remove it or fill it in")
        return value

    @field_validator("access_key")
    @classmethod
    def _own_text(cls, value: str | None) -> str | None:
        refuse_placeholder(value or "", _BY_VARIABLE)
        return value

    @field_validator("path_token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            refuse_placeholder(
                value.get_secret_value(),
                'name a file in path_token_file = "...", or give the sources as YIZHAN_SOURCES',
            )
            check_path_token(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _has_what_it_verifies_with(self) -> Self:
        if self.checks_signature and not (self.secrets or self.secret_files):
            raise ValueError(
                f'verification = "{self.verification}" needs secrets = ["..."] '
                "(the secret the platform gave you) or secret_files"
            )
        if self.checks_signature and self.dialect in {"xport", "global"} and not self.access_key:
            raise ValueError(
                f'verification = "{self.verification}" of dialect "{self.dialect}" needs '
                'access_key = "..." (the key the platform gave you)'
            )
        if self.path_token is not None and self.path_token_file is not None:
            raise ValueError("path_token and path_token_file exclude each other: set one")
        if self.checks_path_token and self.path_token is None and self.path_token_file is None:
            raise ValueError(
                f'verification = "{self.verification}" needs path_token = "..." '
                "(16 or more random characters) or path_token_file"
            )
        return self

    @property
    def checks_signature(self) -> bool:
        """Whether a delivery must carry a valid signature."""
        return self.verification in {"signature", "both"}

    @property
    def checks_path_token(self) -> bool:
        """Whether a delivery must come to the secret URL."""
        return self.verification in {"path_token", "both"}
