"""The account of a script: from values given by name, or from a settings file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from receiver.errors import ConfigurationError
from receiver.settings import APISettings, load_settings
from receiver.settings.faults import explain
from receiver.settings.secret_files import with_api_secret

_SECTION: Final = {"api": APISettings}


def account_of(values: Mapping[str, Any]) -> APISettings:
    """The account of these settings of `[api]`; raises `ConfigurationError` with a line a fault."""
    try:
        return with_api_secret(APISettings(**values))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        lines = [explain({**fault, "loc": ("api", *fault["loc"])}, _SECTION) for fault in faults]
        raise ConfigurationError("\n".join(lines)) from None


def account_of_file(file: str | Path | None) -> APISettings:
    """The section `[api]` of a settings file and of the environment, read as the commands do.

    Raises `ConfigurationError`, where there is no such section too.
    """
    return section_of(load_settings(None if file is None else Path(file)).api)


def section_of(api: APISettings | None) -> APISettings:
    """`[api]`; raises `ConfigurationError` where the settings have none."""
    if api is None:
        raise ConfigurationError(
            "api: is missing: write a section [api] with access_key and secret_file, "
            "or set YIZHAN_API__ACCESS_KEY and YIZHAN_API__SECRET_FILE"
        )
    return api
