"""Secrets that stand in files of their own: reading them, and which files they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from receiver.errors import ConfigurationError
from receiver.settings.alerts import AlertsSettings, webhook_key
from receiver.settings.console import ConsoleSettings
from receiver.settings.metrics import MetricsSettings, check_token
from receiver.settings.values import check_path_token, read_secret

if TYPE_CHECKING:
    from receiver.settings import APISettings, Settings, SourceSettings


def with_secrets(settings: Settings) -> Settings:
    """The settings with the secrets that stand in files; raises `ConfigurationError`."""
    sources = tuple(_source(number, source) for number, source in enumerate(settings.sources))
    api = None if settings.api is None else with_api_secret(settings.api)
    read = {
        "metrics": _with_token(settings.metrics),
        "console": _with_client_secret(_with_proxy(settings.console)),
        "alerts": _with_secret(settings.alerts),
    }
    return settings.model_copy(update={"sources": sources, "api": api, **read})


def with_api_secret(api: APISettings) -> APISettings:
    """`[api]` with the secret of its `secret_file`; raises `ConfigurationError`."""
    if api.secret_file is None:
        return api
    secret = SecretStr(read_secret("api.secret_file", api.secret_file))
    return api.model_copy(update={"secret": secret})


def without_files(settings: Settings) -> Settings:
    """The same settings for another process: the secrets that were read, and no file to read."""
    without = {"secret_files": (), "path_token_file": None}
    sources = tuple(source.model_copy(update=without) for source in settings.sources)
    api = settings.api and settings.api.model_copy(update={"secret_file": None})
    oidc = settings.console.oidc
    oidc = oidc and oidc.model_copy(update={"client_secret_file": None})
    read = {
        "metrics": settings.metrics.model_copy(update={"token_file": None}),
        "console": settings.console.model_copy(update={"proxy_secret_file": None, "oidc": oidc}),
        "alerts": settings.alerts.model_copy(update={"secret_file": None}),
    }
    return settings.model_copy(update={"sources": sources, "api": api, **read})


def secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file that holds a secret or a private key, with the name of its setting."""
    for number, source in enumerate(settings.sources):
        for file in source.secret_files:
            yield f"sources[{number}].secret_files", file
        if source.path_token_file is not None:
            yield f"sources[{number}].path_token_file", source.path_token_file
    oidc = settings.console.oidc
    named = {
        "alerts.secret_file": settings.alerts.secret_file,
        "api.secret_file": None if settings.api is None else settings.api.secret_file,
        "console.oidc.client_secret_file": None if oidc is None else oidc.client_secret_file,
        "console.proxy_secret_file": settings.console.proxy_secret_file,
        "metrics.token_file": settings.metrics.token_file,
        "nats.password_file": settings.nats.password_file,
        "nats.credentials_file": settings.nats.credentials_file,
        "nats.nkey_seed_file": settings.nats.nkey_seed_file,
        "nats.tls_key_file": settings.nats.tls_key_file,
        "receiver.tls_key_file": settings.receiver.tls_key_file,
    }
    yield from ((name, file) for name, file in named.items() if file is not None)


def _with_token(metrics: MetricsSettings) -> MetricsSettings:
    if metrics.token_file is None:
        return metrics
    token = _token("metrics.token_file", metrics.token_file)
    return metrics.model_copy(update={"token": token})


def _with_proxy(console: ConsoleSettings) -> ConsoleSettings:
    if console.proxy_secret_file is None:
        return console
    secret = _token("console.proxy_secret_file", console.proxy_secret_file)
    return console.model_copy(update={"proxy_secret": secret})


def _with_client_secret(console: ConsoleSettings) -> ConsoleSettings:
    oidc = console.oidc
    if oidc is None or oidc.client_secret_file is None:
        return console
    secret = read_secret("console.oidc.client_secret_file", oidc.client_secret_file)
    read = oidc.model_copy(update={"client_secret": SecretStr(secret)})
    return console.model_copy(update={"oidc": read})


def _token(place: str, file: Path) -> SecretStr:
    token = read_secret(place, file)
    try:
        check_token(token)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {file}: {error}") from None
    return SecretStr(token)


def _with_secret(alerts: AlertsSettings) -> AlertsSettings:
    if alerts.secret_file is None:
        return alerts
    secret = read_secret("alerts.secret_file", alerts.secret_file)
    try:
        webhook_key(secret)
    except ValueError as error:
        raise ConfigurationError(f"alerts.secret_file: {alerts.secret_file}: {error}") from None
    return alerts.model_copy(update={"secret": SecretStr(secret)})


def _source(number: int, source: SourceSettings) -> SourceSettings:
    place = f"sources[{number}].secret_files"
    read = [SecretStr(read_secret(place, file)) for file in source.secret_files]
    update: dict[str, object] = {"secrets": (*source.secrets, *read)}
    if source.path_token_file is not None:
        update["path_token"] = _path_token(number, source.path_token_file)
    return source.model_copy(update=update)


def _path_token(number: int, file: Path) -> SecretStr:
    place = f"sources[{number}].path_token_file"
    token = read_secret(place, file)
    try:
        check_path_token(token)
    except ValueError as error:
        raise ConfigurationError(f"{place}: {file}: {error}") from None
    return SecretStr(token)
