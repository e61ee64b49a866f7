"""The settings: one frozen tree, read from a TOML file and overridden by the environment.

The file is `--config`, else `YIZHAN_CONFIG`, else `yizhan.toml` where it exists. A variable named
`YIZHAN_SECTION__KEY` overrides a key of the file; a list (`YIZHAN_SOURCES`) is given as JSON.
Reading performs I/O only in `load_settings`.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from receiver.errors import ConfigurationError
from receiver.settings.faults import explain, not_json, unknown_variables
from receiver.settings.file import read_toml, settings_file
from receiver.settings.networks import Networks
from receiver.settings.secret_files import with_secrets
from receiver.settings.values import (
    MonitorUrl,
    SourceName,
    SubjectToken,
    check_path_token,
    has_host_and_port,
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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class NatsSettings(_Section):
    """Where the log is. Without `url` a server of our own is started in `data_dir`.

    `url` may name several servers of one cluster: a list, or one text with commas. A user and
    password stand in the URL, or the password of `user` in `password_file`, or one of the other
    files proves who we are. `monitor_url` is where a server tells of itself over HTTP.
    Each stream keeps what is younger than `max_age_days`, and of that the youngest `max_bytes`.
    """

    url: str | None = None
    replicas: int = Field(default=1, ge=1, le=5)
    user: str | None = None
    password_file: Path | None = None
    credentials_file: Path | None = None
    nkey_seed_file: Path | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    monitor_url: MonitorUrl | None = None
    data_dir: Path = Path("yizhan-data")
    port: int = Field(default=4222, ge=0, le=65535)
    subject_root: SubjectToken = "yizhan"
    max_age_days: int = Field(default=90, ge=1, le=36_500)
    max_bytes: int | None = Field(default=None, ge=16 * 1024 * 1024, le=2**62)

    @field_validator("url", mode="before")
    @classmethod
    def _joined(cls, value: object) -> object:
        return ",".join(map(str, value)) if isinstance(value, list | tuple) else value

    @field_validator("url")
    @classmethod
    def _is_nats(cls, value: str | None) -> str | None:
        refuse_placeholder(
            value or "", "set nats.user and nats.password_file, or give YIZHAN_NATS__URL"
        )
        for one in (value or "").split(",") if value is not None else ():
            if not one.strip().startswith(("nats://", "tls://")):
                raise ValueError('write "nats://host:4222" or "tls://host:4222", or several')
            if not has_host_and_port(one.strip()):
                raise ValueError(
                    "has no host, or no number as port: a password with one of / ? # [ ] in it "
                    "cannot stand in a URL"
                )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.url is None and self.replicas > 1:
            raise ValueError("replicas need a cluster: set nats.url to its servers")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together: set both or none")
        files = (self.credentials_file, self.nkey_seed_file, self.password_file)
        if sum(file is not None for file in files) > 1:
            raise ValueError(
                "credentials_file, nkey_seed_file and password_file exclude each other: set one"
            )
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together: set both or none")
        if self.user is not None and (self.url is None or "@" in self.url):
            raise ValueError("user and password_file are for a url that names no user: set one")
        return self


class ReceiverSettings(_Section):
    """The HTTP edge, in `workers` processes.

    `limit_bytes` bounds a callback's body. What the log has not acknowledged after `ack_budget_ms`
    is kept in the spool, unless `spool_limit_bytes` is 0. A whole request must come within
    `receive_timeout_s`; `grace_s` is what a stop may take to answer what is in flight. Only
    `trusted_proxies` are believed when they say whose request they forward. With the two TLS files
    it speaks HTTPS.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    limit_bytes: int = Field(default=1024 * 1024, ge=1024, le=4 * 1024 * 1024)
    limit_headers: int = Field(default=64, ge=8, le=1024)
    limit_head_bytes: int = Field(default=16 * 1024, ge=1024, le=256 * 1024)
    limit_connections: int = Field(default=4096, ge=1)
    limit_connections_per_address: int = Field(default=512, ge=1)
    receive_timeout_s: float = Field(default=5.0, gt=0, le=60)
    idle_timeout_s: float = Field(default=75.0, gt=0, le=3600)
    grace_s: float = Field(default=10.0, ge=0, le=600)
    publish_timeout_s: float = Field(default=0.8, gt=0, le=60)
    ack_budget_ms: int = Field(default=400, ge=10, le=10_000)
    spool_limit_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    trusted_proxies: Networks = ()

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file belong together: set both or none")
        return self


class SourceSettings(_Section):
    """One sender of callbacks: its wire format and how it proves itself.

    `access_key` is the app key for `aop` and `global`. Every one of `secrets` is accepted, to which
    `load_settings` adds what the `secret_files` hold, one secret each. `path_token_file` holds the
    `path_token`.
    `replay_check` is what becomes of a signature that was used for another body already;
    `retry_horizon_s` shortens for how long an old signature with a nonce is taken (`xport`),
    `max_age_s` how old a message may be whose signature covers its time (`aop`, `global`);
    `allow_networks`, where it is given, is whence deliveries may come. What a `simulated` source
    sends is invented: its events say so (`ce-simulated`).
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


class APISettings(_Section):
    """The platform's API. `paths` overrides any endpoint's path by the endpoint's name.

    `secret` may stand in a file instead, `secret_file`: `load_settings` reads it.
    """

    base_url: str = "https://api.pandapon.com"
    edition: Literal["v1", "v2", "ka"] = "v2"
    access_key: str = Field(min_length=1)
    secret: SecretStr = SecretStr("")
    secret_file: Path | None = None
    user_id: str = ""
    timestamp_unit: Literal["ms", "s"] = "ms"
    rate_per_s: float = Field(default=5.0, gt=0)
    timeout_s: float = Field(default=10.0, gt=0)
    paths: dict[str, str] = {}

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


class HandlersSettings(_Section):
    """Which handlers run: import strings `module:router`; installed plug-ins are found besides."""

    load: tuple[str, ...] = ("handlers:router",)
    concurrency: int = Field(default=16, ge=1, le=1024)
    grace_s: float = Field(default=10.0, ge=0)
    max_attempts: int = Field(default=8, ge=1)


class LogSettings(_Section):
    """How the log is written. `auto` is colours on a terminal and JSON elsewhere."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


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
    log: LogSettings = LogSettings()

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
    "log": LogSettings,
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
