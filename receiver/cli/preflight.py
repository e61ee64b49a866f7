"""What a start needs of the settings and of this machine, looked at before anything begins.

`yizhan check` reports every fault, the processes that stay end with the first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from receiver.cli.listening import check_port
from receiver.composition.api import opened_api
from receiver.composition.bus import access
from receiver.composition.receiver import certificate
from receiver.dialects.installed import installed_dialects
from receiver.errors import ConfigurationError
from receiver.settings import Settings
from receiver.worker.configuration import check_confirming, configured_handlers

Look = Callable[[Settings], object]


def check_data_directory(settings: Settings) -> None:
    """Raise `ConfigurationError` where neither a spool nor an embedded server could write."""
    nats, why = settings.nats, "set nats.url to a server of your own"
    if nats.url is not None:
        if not settings.receiver.spool_limit_bytes:
            return
        why = "set receiver.spool_limit_bytes to 0, to do without a spool"
    if reason := _unwritable(nats.data_dir.absolute()):
        raise ConfigurationError(
            f"nats.data_dir: cannot write in {nats.data_dir}: {reason}: "
            f"name a directory that can be written, or {why}"
        )


def _unwritable(directory: Path) -> str:
    """Why nothing can be written there, or the directory not be made; empty where it can."""
    there = next(path for path in (directory, *directory.parents) if path.exists())
    if not there.is_dir():
        return "not a directory"
    return "" if os.access(there, os.W_OK | os.X_OK) else "permission denied"


async def check_api(settings: Settings) -> None:
    """Raise `ConfigurationError` where the platform's API cannot be called with the settings."""
    async with opened_api(settings):
        pass


def _dialects(_: Settings) -> None:
    installed_dialects()


def _access(settings: Settings) -> None:
    access(settings).options()


RECEIVING: Final[tuple[Look, ...]] = (
    _dialects,
    certificate,
    check_data_directory,
    _access,
)
"""What a receiver needs."""


def faults(settings: Settings, looks: tuple[Look, ...] = RECEIVING) -> Iterator[str]:
    """Each fault, as a sentence; nothing where there is none."""
    for look in looks:
        try:
            look(settings)
        except ConfigurationError as error:
            yield str(error)


async def ready(settings: Settings, *, receiving: bool = True, working: bool = True) -> None:
    """Raise `ConfigurationError` for what a receiver or the handlers could not begin with."""
    if receiving:
        for fault in faults(settings):
            raise ConfigurationError(fault)
        await check_port(settings.receiver)
    if working:
        handlers = configured_handlers(settings.handlers)
        check_confirming(handlers, configured=settings.api is not None)
        await check_api(settings)
