"""The section `[metrics]`."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from receiver.settings.section import Section
from receiver.settings.values import refuse_placeholder

_MIN_CHARS: Final = 16


class MetricsSettings(Section):
    """Where `yizhan metrics` serves what it collects, and who may read metrics.

    Every `/metrics` is open to its own machine. Whoever asks from elsewhere, or through a proxy,
    gives `token` (`Authorization: Bearer ...`), which may stand in `token_file`.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=9464, ge=0, le=65535)
    token: SecretStr | None = None
    token_file: Path | None = None

    @property
    def bearer(self) -> str | None:
        """The token that others than this machine give; None where they may not read at all."""
        return None if self.token is None else self.token.get_secret_value()

    @field_validator("token")
    @classmethod
    def _fits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            refuse_placeholder(value.get_secret_value(), "set metrics.token_file")
            check_token(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("token and token_file exclude each other: set one")
        return self


def check_token(token: str) -> None:
    """Raise `ValueError` for one that is easily guessed, or that no header can hold."""
    if len(token) < _MIN_CHARS or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"a token has {_MIN_CHARS} or more letters, digits, '-' or '_'")
