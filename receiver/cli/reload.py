"""SIGHUP: read sources, secrets and the certificate again, without dropping a request.

A secret that is retired is refused from that moment on, whether NATS is there or not. What needs
NATS follows as soon as it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Final

from receiver.composition.bus import Bus, duplicate_window
from receiver.composition.receiver import Receiver
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.cancellation import cancel
from receiver.settings import Settings, development
from receiver.settings.exposure import weak_protection

_AGAIN_S: Final = 1.0
_PROBE_S: Final = 5.0

Read = Callable[[], tuple[Settings, bool]]


@contextlib.asynccontextmanager
async def reloading(
    config: Path | None,
    started: Settings,
    receiver: Receiver,
    bus: Bus,
    *,
    simulate: bool = False,
) -> AsyncIterator[None]:
    """Exchange the receiver's sources on SIGHUP; with a mistake in the file the old ones stay.

    `simulate` is whether the development sources are among them, as at the start. Everything but
    the sources and the certificate keeps the settings of the start, `started`, and what differs
    from them is logged. Neither of the two waits for the other, or for NATS.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    read = partial(development.load, config, simulate=simulate)
    task = asyncio.create_task(_reload_when(asked, read, started, receiver, bus), name="reload")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        await cancel(task)


async def _reload_when(
    asked: asyncio.Event, read: Read, started: Settings, receiver: Receiver, bus: Bus
) -> None:
    widening: asyncio.Task[None] | None = None
    try:
        while True:
            await asked.wait()
            asked.clear()
            _reload_certificate(receiver)
            settings = _exchange_sources(read, receiver)
            if settings is not None and (names := changed(started, settings)):
                get_logger("yizhan.receiver").warning(
                    "restart_needed", settings=names, action="restart to have these take effect"
                )
            # A new dialect may repeat its callbacks for longer than the streams know their ids.
            if settings is not None and bus.connection.widen(duplicate_window(settings)):
                await supervision.stop(widening)
                widening = supervision.start(partial(_widen, bus), name="widen-streams")
    finally:
        await supervision.stop(widening)


def changed(started: Settings, now: Settings) -> list[str]:
    """The names of the settings that differ and that only a restart takes up."""
    names: list[str] = []
    for section in sorted(set(Settings.model_fields) - {"sources"}):
        before, after = getattr(started, section), getattr(now, section)
        if before is None or after is None:
            names += [section] if before is not after else []
            continue
        values = [dict(settings) for settings in (before, after)]  # `[handlers.NAME]` included
        fields = sorted({*values[0], *values[1]})
        names += [f"{section}.{f}" for f in fields if values[0].get(f) != values[1].get(f)]
    return names


def _reload_certificate(receiver: Receiver) -> None:
    try:
        if receiver.tls is not None:
            receiver.tls.reload()
    except ConfigurationError as error:
        get_logger("yizhan.receiver").error("certificate_not_reloaded", error=str(error))


def _exchange_sources(read: Read, receiver: Receiver) -> Settings | None:
    """The settings as they are now, their sources in force; None where they hold a mistake."""
    log = get_logger("yizhan.receiver")
    try:
        settings, _ = read()
        if not settings.sources:
            raise ConfigurationError("sources: none is configured")
    except ConfigurationError as error:
        log.error("sources_not_reloaded", error=str(error))
        return None
    receiver.sources.exchange(settings.sources)
    for weakness in weak_protection(settings):
        log.warning("protection_weak", action=weakness)
    log.info("sources_reloaded", sources=[source.name for source in settings.sources])
    return settings


async def _widen(bus: Bus) -> None:
    """Have the streams set up to the wider plans, whenever NATS lets us."""
    log = get_logger("yizhan.receiver")
    waiting = False
    while True:
        try:
            await bus.connection.probe(timeout_s=_PROBE_S)
        except BusError as error:
            if not waiting:
                log.warning("streams_not_widened", error=str(error), action="retry")
            waiting = True
            await asyncio.sleep(_AGAIN_S)
        else:
            log.info("streams_widened")
            return
