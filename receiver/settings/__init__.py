"""The settings: one frozen tree, read from a TOML file and overridden by the environment."""

from receiver.settings.api import APISettings
from receiver.settings.handlers import HandlerSettings, HandlersSettings
from receiver.settings.model import LogSettings, Settings, load_settings
from receiver.settings.nats import NatsSettings
from receiver.settings.receiver import ReceiverSettings
from receiver.settings.sources import (
    DIALECT_GROUP,
    DialectName,
    SourceSettings,
    Verification,
    dialect_names,
)

__all__ = [
    "DIALECT_GROUP",
    "APISettings",
    "DialectName",
    "HandlerSettings",
    "HandlersSettings",
    "LogSettings",
    "NatsSettings",
    "ReceiverSettings",
    "Settings",
    "SourceSettings",
    "Verification",
    "dialect_names",
    "load_settings",
]
