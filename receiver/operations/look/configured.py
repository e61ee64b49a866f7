"""What the settings say of who calls and who is called, without any secret. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from receiver.bus.credentials import without_credentials
from receiver.settings import Settings, SourceSettings

_PROVEN: Final = {
    "signature": "a signature",
    "path_token": "the secret URL",
    "both": "a signature and the secret URL",
    "none": "nothing",
}


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A source; `path` is that of its callbacks, with a word where the secret token stands, and
    `proven` what a delivery must have in words. `networks` are those it must come from, all where
    there are none.
    """

    dialect: str
    verification: str
    proven: str
    path: str
    tolerance_s: int
    retry_every_s: int
    networks: tuple[str, ...]
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class ConfiguredAPI:
    """The platform's API: its URL without credentials, how many calls a second and at once, tries
    of a call, and when the platform is left alone.
    """

    base_url: str
    edition: str
    rate_per_s: float
    concurrency: int
    timeout_s: float
    tries: int
    breaker_failures: int
    breaker_pause_s: float


@dataclass(frozen=True, slots=True)
class Configured:
    """Of the settings here, which may not be those of another machine."""

    sources: Mapping[str, ConfiguredSource] = field(default_factory=dict)
    api: ConfiguredAPI | None = None


def configured(settings: Settings) -> Configured:
    """What is shown of the settings."""
    return Configured(_sources(settings.sources), _api(settings))


def _sources(sources: Sequence[SourceSettings]) -> dict[str, ConfiguredSource]:
    return {
        one.name: ConfiguredSource(
            dialect=one.dialect,
            verification=one.verification,
            proven=_PROVEN[one.verification],
            path=f"/callbacks/{one.name}{'/<path_token>' if one.checks_path_token else ''}",
            tolerance_s=one.tolerance_s,
            retry_every_s=one.retry_every_s,
            networks=tuple(map(str, one.allow_networks)),
            is_simulated=one.simulated,
        )
        for one in sources
    }


def _api(settings: Settings) -> ConfiguredAPI | None:
    if (api := settings.api) is None:
        return None
    return ConfiguredAPI(
        base_url=without_credentials(api.base_url),
        edition=api.edition,
        rate_per_s=api.rate_per_s,
        concurrency=api.concurrency,
        timeout_s=api.timeout_s,
        tries=api.tries,
        breaker_failures=api.breaker_failures,
        breaker_pause_s=api.breaker_pause_s,
    )
