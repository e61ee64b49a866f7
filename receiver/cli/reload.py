"""SIGHUP: read sources, secrets and the certificate again, without dropping a request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from receiver.cli import development
from receiver.cli.compose import Bus, Receiver, stream_plans
from receiver.errors import BusError, ConfigurationError
from receiver.logs import get_logger


@contextlib.asynccontextmanager
async def reloading(config: Path | None, receiver: Receiver, bus: Bus) -> AsyncIterator[None]:
    """Exchange the receiver's sources on SIGHUP; with a mistake in the file the old ones stay.

    Everything but the sources and the certificate keeps the settings of the start.
    """
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    task = asyncio.create_task(_reload_when(asked, config, receiver, bus), name="reload")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _reload_when(
    asked: asyncio.Event, config: Path | None, receiver: Receiver, bus: Bus
) -> None:
    log = get_logger("yizhan.receiver")
    while True:
        await asked.wait()
        asked.clear()
        try:
            settings, _ = development.load(config)
            if not settings.sources:
                raise ConfigurationError("sources: none is configured")
            # A new dialect may repeat its callbacks for longer: widen the window first.
            await bus.connection.widen(stream_plans(settings, bus.subjects))
            if receiver.tls is not None:
                receiver.tls.reload()
        except (ConfigurationError, BusError) as error:
            log.error("sources_not_reloaded", error=str(error))
            continue
        receiver.sources.exchange(settings.sources)
        log.info("sources_reloaded", sources=[source.name for source in settings.sources])
