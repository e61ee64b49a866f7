"""Whether the packages of `yizhan[oidc]` are there. Imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from receiver.errors import ConfigurationError
from receiver.settings.console import ConsoleSettings


def check_extra(settings: ConsoleSettings) -> None:
    """Raise `ConfigurationError` where the settings need what is not installed."""
    if settings.auth == "oidc" and find_spec("joserfc") is None:
        raise ConfigurationError(
            'console.auth is "oidc", and what it needs is not installed: '
            "pip install 'yizhan[oidc]'"
        )
