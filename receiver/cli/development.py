"""What `yizhan` runs on where nobody wrote a configuration: safe, local, the same every time.

The secrets are random, made once, and kept in the data directory, so that `yizhan up` in one
terminal and `yizhan simulate` in another agree.
"""

from __future__ import annotations

import secrets
import tomllib
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
    settings_file,
)

SIGNED_SOURCE: Final = "dev"
"""The source of the simulator: signature verification."""
TRIED_SOURCE: Final = "try"
"""The source to try by hand: a secret URL, so that a plain `curl` works."""

_FILE: Final = "development.toml"


class DevelopmentSettings(Settings):
    """Settings with made-up sources: the embedded server lets every process of the machine in, so
    that a first subscriber needs no password.
    """


def load(config: Path | None, *, keep: bool = True) -> tuple[Settings, bool]:
    """The settings, and whether they are the development defaults.

    Without `keep`, secrets that no run has made yet are not written: the data directory stays as
    it is, and does not come into being.
    """
    settings = load_settings(config)
    if settings_file(config) or settings.sources:
        return settings, False
    return _with_development_sources(settings, keep=keep), True


def defaults(data_dir: Path) -> Settings:
    """The development defaults on free ports, whatever file and variables lie about."""
    return _with_development_sources(
        Settings.model_construct(
            nats=NatsSettings(data_dir=data_dir, port=0), receiver=ReceiverSettings(port=0)
        )
    )


def _with_development_sources(settings: Settings, *, keep: bool = True) -> Settings:
    values = _development_values(_kept_secrets(settings.nats.data_dir, keep=keep))
    sources = tuple(SourceSettings.model_validate(source) for source in values["sources"])
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return DevelopmentSettings.model_construct(**(values | {"sources": sources}))


def _development_values(kept: dict[str, str]) -> dict[str, Any]:
    return {
        "sources": [
            {
                "name": SIGNED_SOURCE,
                "dialect": "xport",
                "verification": "signature",
                "access_key": "development",
                "secrets": [kept["secret"]],
            },
            {
                "name": TRIED_SOURCE,
                "dialect": "xport",
                "verification": "path_token",
                "path_token": kept["path_token"],
            },
        ]
    }


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
    made = {"secret": secrets.token_hex(16), "path_token": secrets.token_hex(16)}
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
