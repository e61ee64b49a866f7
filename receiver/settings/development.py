"""The development sources: what `yizhan` runs on where no settings name a source, and what
`up --simulate` adds to those that do. Safe, local, the same every time.

The secrets are random, made once, and kept in the data directory, so that `yizhan up` in one
terminal and `yizhan simulate` in another agree.
"""

from __future__ import annotations

import secrets
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from receiver.errors import ConfigurationError
from receiver.private_files import open_private
from receiver.settings import (
    NatsSettings,
    ReceiverSettings,
    Settings,
    SourceSettings,
    load_settings,
)
from receiver.settings.file import settings_file

SIGNED_SOURCE: Final = "dev"
"""The source of the simulator: signature verification."""
TRIED_SOURCE: Final = "try"
"""The source to try by hand: a secret URL, so that a plain `curl` works."""

_FILE: Final = "development.toml"
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class DevelopmentSettings(Settings):
    """Settings with made-up sources: the embedded server lets every process of the machine in, so
    that a first subscriber needs no password.
    """


def load(
    config: Path | None, *, simulate: bool = False, keep: bool = True
) -> tuple[Settings, bool]:
    """The settings, and whether their sources are the development sources alone.

    Those are used where there is no settings file and nothing names a source; `simulate` adds them
    to whatever is named. Without `keep`, secrets that no run has made yet are not written: the data
    directory stays as it is, and does not come into being.
    """
    settings = load_settings(config)
    if simulate:
        _check_loopback(settings.receiver.host)
    elif settings.sources or settings_file(config):
        return settings, False
    return _with_development_sources(settings, keep=keep), not settings.sources


def check_sources(settings: Settings, config: Path | None) -> None:
    """Raise `ConfigurationError` where no source is named: nothing could be verified."""
    if not settings.sources:
        raise ConfigurationError(
            f"{settings_file(config)}: sources: none is configured, so no callback could be "
            "verified: add a [[sources]] section with name, dialect and verification, or start "
            "`yizhan up --simulate`, which adds sources to try"
        )


def defaults(data_dir: Path) -> Settings:
    """The development defaults on free ports, whatever file and variables lie about."""
    return _with_development_sources(
        Settings.model_construct(
            nats=NatsSettings(data_dir=data_dir, port=0), receiver=ReceiverSettings(port=0)
        )
    )


def _with_development_sources(settings: Settings, *, keep: bool = True) -> Settings:
    """With sources of one's own beside them, the embedded server asks for a user as ever."""
    names = {source.name for source in settings.sources}
    for name in (SIGNED_SOURCE, TRIED_SOURCE):
        if name in names:
            raise ConfigurationError(
                f"sources: {name!r} is the name of a source that --simulate adds: "
                "give yours another name, or leave out --simulate"
            )
    kept = _kept_secrets(settings.nats.data_dir, keep=keep)
    added = tuple(map(SourceSettings.model_validate, _sources(kept)))
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    model = Settings if settings.sources else DevelopmentSettings
    return model.model_construct(**(values | {"sources": (*settings.sources, *added)}))


def _check_loopback(host: str) -> None:
    try:
        address = ip_address(host)
        reached = address.is_loopback or address.is_unspecified
    except ValueError:
        reached = host == "localhost"
    if not reached:
        raise ConfigurationError(
            f"receiver.host: {host!r} is not reached on loopback, from where alone the sources of "
            '--simulate take deliveries: write "127.0.0.1", or leave out --simulate'
        )


def _sources(kept: dict[str, str]) -> list[dict[str, Any]]:
    invented = {"dialect": "xport", "simulated": True, "allow_networks": _LOOPBACK}
    return [
        {
            "name": SIGNED_SOURCE,
            "verification": "signature",
            "access_key": "development",
            "secrets": [kept["secret"]],
            **invented,
        },
        {
            "name": TRIED_SOURCE,
            "verification": "path_token",
            "path_token": kept["path_token"],
            **invented,
        },
    ]


def _kept_secrets(data_dir: Path, *, keep: bool) -> dict[str, str]:
    file = data_dir / _FILE
    try:
        return {k: str(v) for k, v in tomllib.loads(file.read_text(encoding="utf-8")).items()}
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise ConfigurationError(
            f"nats.data_dir: {data_dir} is no directory: name one, or one that can be made"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file}: cannot be read: delete it, and new development secrets are made"
        ) from error
    # 96 bits that leave the URL room in a line of 80 columns.
    made = {"secret": secrets.token_hex(16), "path_token": secrets.token_hex(12)}
    if not keep:
        return made
    text = "".join(f'{name} = "{value}"\n' for name, value in made.items())
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open_private(file) as handle:
            handle.write(text)
    except FileExistsError:
        return _kept_secrets(data_dir, keep=keep)  # another process made them in this moment
    except OSError as error:
        raise ConfigurationError(
            f"nats.data_dir: cannot write in {data_dir}: {error.strerror}: "
            "choose a directory that can be written"
        ) from error
    return made
