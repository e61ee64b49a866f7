"""The settings: one frozen tree, read from a TOML file and overridden by the environment.

The file is `--config`, else `YIZHAN_CONFIG`, else `yizhan.toml` where it exists. A variable named
`YIZHAN_SECTION__KEY` overrides a key of the file; a list (`YIZHAN_SOURCES`) is given as JSON.
Reading performs I/O only in `load_settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import (
    BaseModel,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from receiver.errors import ConfigurationError
from receiver.settings.alerts import AlertsSettings
from receiver.settings.api import APISettings
from receiver.settings.console import ConsoleSettings, ConsoleUser
from receiver.settings.faults import explain, not_json, unknown_variables
from receiver.settings.file import read_toml, settings_file
from receiver.settings.handlers import HandlersSettings
from receiver.settings.metrics import MetricsSettings
from receiver.settings.nats import NatsSettings
from receiver.settings.receiver import ReceiverSettings
from receiver.settings.secret_files import with_secrets
from receiver.settings.section import Section
from receiver.settings.sources import SourceSettings
from receiver.settings.tracing import TracingSettings


class LogSettings(Section):
    """How the log is written. `auto` is colours on a terminal and JSON elsewhere. With `types`, of
    a handler's error the type and the place alone are shown, in log and dead letter.
    """

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    errors: Literal["full", "types"] = "full"


class Settings(BaseSettings):
    """All settings of one process; immutable."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="YIZHAN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        validate_default=True,
    )

    nats: NatsSettings = NatsSettings()
    receiver: ReceiverSettings = ReceiverSettings()
    sources: tuple[SourceSettings, ...] = ()
    api: APISettings | None = None
    handlers: HandlersSettings = HandlersSettings()
    console: ConsoleSettings = ConsoleSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    alerts: AlertsSettings = AlertsSettings()
    tracing: TracingSettings = TracingSettings()

    @field_validator("sources")
    @classmethod
    def _unique_names(cls, value: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are named {twice[0]!r}: give each a name of its own")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load_settings` read from the file."""
        return env_settings, init_settings


_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "nats": NatsSettings,
    "receiver": ReceiverSettings,
    "sources": SourceSettings,
    "api": APISettings,
    "handlers": HandlersSettings,
    "console": ConsoleSettings,
    "console.users": ConsoleUser,
    "log": LogSettings,
    "metrics": MetricsSettings,
    "alerts": AlertsSettings,
    "tracing": TracingSettings,
}


def load_settings(file: Path | None = None) -> Settings:
    """Read the settings; raises `ConfigurationError` with one line for each fault."""
    path = settings_file(file)
    values = read_toml(path) if path else {}
    unknown = sorted(unknown_variables(os.environ, _SECTIONS))
    if unknown:
        raise ConfigurationError("\n".join(unknown))
    try:
        return with_secrets(Settings(**values))
    except ValidationError as error:
        where = str(path) if path else "the environment"
        lines = [explain(fault, _SECTIONS) for fault in error.errors(include_url=False)]
        raise ConfigurationError("\n".join(f"{where}: {line}" for line in lines)) from None
    except ValueError:  # pydantic-settings: a variable that is not the JSON it should be
        raise ConfigurationError(not_json(os.environ)) from None
