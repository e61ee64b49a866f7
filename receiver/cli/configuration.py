"""The settings a command runs on, and the logs that go with them."""

from __future__ import annotations

from pathlib import Path

from receiver.cli.options import existing_data
from receiver.cli.process import fail, refusing
from receiver.errors import ConfigurationError
from receiver.observability.logs import configure_logs, get_logger
from receiver.settings import Settings, development
from receiver.settings.exposure import exposed_files, exposed_secrets, weak_protection


def load(
    config: Path | None, *, quiet: bool = False, simulate: bool = False, keep: bool = True
) -> tuple[Settings, bool]:
    """What `development.load` gives; logs are set up with it.

    `quiet` is for commands that speak for themselves: only warnings are logged. Without `keep`
    nothing is written, see `development.load`.
    """
    try:
        settings, developing = development.load(config, simulate=simulate, keep=keep)
        exposed = "" if quiet else exposed_secrets(config)
    except ConfigurationError as error:
        fail(error)
    level = "warning" if quiet and settings.log.level == "info" else settings.log.level
    configure_logs(settings.log.model_copy(update={"level": level}))
    for readable in () if quiet else (*filter(None, [exposed]), *exposed_files(settings)):
        get_logger("yizhan").warning("secrets_readable_by_others", action=readable)
    for weakness in () if quiet else weak_protection(settings):
        get_logger("yizhan").warning("protection_weak", action=weakness)
    return settings, developing


def load_to_look(config: Path | None, *, spool: bool = False) -> Settings:
    """The settings, for a command that looks at what is stored and creates nothing.

    Ends the process where there is no data directory to look into; `spool` says that it is needed
    although NATS is elsewhere.
    """
    settings, _ = load(config, quiet=True, keep=False)
    if settings.nats.url is None or spool:
        with refusing():
            existing_data(settings.nats)
    return settings


def load_to_serve(config: Path | None, *, simulate: bool = False) -> tuple[Settings, bool]:
    """The same, for a process that stays: a dependency that was not tested is logged."""
    from receiver.cli.dependencies import declared, untested  # reads versions, which takes a while

    loaded = load(config, simulate=simulate)
    for doubt in untested(declared()):
        get_logger("yizhan").warning("dependency_not_tested", error=doubt)
    return loaded


def load_to_receive(config: Path | None, *, simulate: bool = False) -> tuple[Settings, bool]:
    """The same, for a process that takes callbacks: it needs a source."""
    loaded = load_to_serve(config, simulate=simulate)
    try:
        development.check_sources(loaded[0], config)
    except ConfigurationError as error:
        fail(error)
    return loaded
