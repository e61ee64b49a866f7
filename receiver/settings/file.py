"""The settings file: which one it is, and what stands in it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from receiver.errors import ConfigurationError

DEFAULT_FILE: Final = Path("yizhan.toml")


def settings_file(named: Path | None = None) -> Path | None:
    """The file that the settings are read from; None where there is none."""
    if named is None and (variable := os.environ.get("YIZHAN_CONFIG")):
        named = Path(variable)
    if named is None and DEFAULT_FILE.is_file():
        named = DEFAULT_FILE
    return named


def read_toml(path: Path) -> dict[str, Any]:
    """What stands in a file; raises `ConfigurationError`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file: give --config or YIZHAN_CONFIG a file that exists"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from None
