"""From our settings to the simulated platform's configuration, and back to API settings."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import SecretStr

from receiver.client.calls.registry import ENDPOINTS
from receiver.errors import ConfigurationError
from receiver.settings import APISettings, Settings, SourceSettings
from receiver.simulator.faults import Faults
from receiver.simulator.platform import PlatformConfig, SimulatedPlatform
from receiver.simulator.signing import DIALECTS, Account


def simulated_source(settings: Settings, name: str | None = None) -> SourceSettings:
    """The source to push to: the one named, else the first that is marked as simulated.

    Invented orders get into any other source only where it is named. It must be one that a
    signature can be made for; raises `ConfigurationError`.
    """
    fit = [source for source in settings.sources if source.dialect in DIALECTS and source.secrets]
    wanted = (s for s in fit if (s.simulated if name is None else s.name == name))
    if (chosen := next(wanted, None)) is not None:
        return chosen
    needs = f"it needs secrets, and a dialect of {', '.join(DIALECTS)}"
    if name is not None:
        known = ", ".join(source.name for source in fit) or "none"
        raise ConfigurationError(
            f"--source {name}: no source of that name can be simulated: {needs}; there are: {known}"
        )
    raise ConfigurationError(
        f"sources: none is marked simulated = true ({needs}): mark one that is for tests, or name "
        "the one that is to get invented orders with --source"
    )


def account_of(source: SourceSettings) -> Account:
    """With what the platform signs for a source."""
    return Account(
        access_key=source.access_key or source.name,  # `aop` signs without one, its API does not
        secret=source.secrets[0].get_secret_value() if source.secrets else "",
        source_name=source.name,
        dialect=next(dialect for dialect in DIALECTS if dialect == source.dialect),
    )


def callback_url(base_url: str, source: SourceSettings) -> str:
    """Where the platform pushes to."""
    token = ""
    if source.checks_path_token and source.path_token is not None:
        token = f"/{source.path_token.get_secret_value()}"
    return f"{base_url}/callbacks/{source.name}{token}"


def platform_config(
    settings: Settings,
    base_url: str,
    *,
    source: str | None = None,
    seed: int = 1,
    speed: float = 1.0,
    duplicate_rate: float = 0.05,
    disorder_rate: float = 0.05,
    step_s: float = 0.0,
    interval_s: float = 0.0,
    journal: Path | None = None,
    api_faults: Faults | None = None,
    invents: bool = False,
) -> PlatformConfig:
    """A platform that knows a source's secrets and pushes to it."""
    chosen = simulated_source(settings, source)
    return PlatformConfig(
        callback_url=callback_url(base_url, chosen),
        account=account_of(chosen),
        seed=seed,
        speed=speed,
        duplicate_rate=duplicate_rate,
        disorder_rate=disorder_rate,
        step_s=step_s,
        interval_s=interval_s,
        journal=journal,
        api_faults=api_faults or Faults(),
        invents=invents,
    )


def with_simulated_api(
    settings: Settings, platform: SimulatedPlatform, *, source: str | None = None
) -> Settings:
    """The settings with the simulated platform's API in the real one's place.

    `source` is the one that the platform pushes to, as for `platform_config`.
    """
    account = account_of(simulated_source(settings, source))
    api = APISettings(
        base_url=platform.api_url,
        access_key=account.access_key,
        secret=SecretStr(account.secret),
        rate_per_s=1000,
    )
    return settings.model_copy(update={"api": api})


def faults_of(text: str | None) -> Faults:
    """The faults of `--api-faults`; raises `ConfigurationError`."""
    if text is None:
        return Faults()
    try:
        return Faults.parse(text, rows=ENDPOINTS)
    except ValueError as error:
        raise ConfigurationError(f"--api-faults: {error}") from error


def new_seed() -> int:
    """Other orders than in the runs before."""
    return secrets.randbelow(2**32)
