"""The platform's API of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from receiver.bus.account_rate import AccountRate
from receiver.composition.bus import Bus
from receiver.errors import ConfigurationError
from receiver.settings import Settings

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@contextlib.asynccontextmanager
async def opened_api(
    settings: Settings, bus: Bus | None = None
) -> AsyncIterator[PlatformAPI | None]:
    """The calls of the account, None where the settings have no `[api]`; nothing is sent yet.

    The rate is shared with all processes of the account on `bus`. Raises `ConfigurationError` where
    the section cannot be used.
    """
    if settings.api is None:
        yield None
        return
    # The models of all calls take a third of the time of a start: only who calls pays for them.
    from receiver.client.platform import PlatformAPI

    account = f"{settings.api.base_url} {settings.api.access_key}"
    shared = AccountRate(bus.connection, bus.subjects, account) if bus else None
    async with PlatformAPI.open(settings.api, shared=shared) as api:
        yield api


@contextlib.contextmanager
def served_counts(settings: Settings, api: PlatformAPI | None) -> Iterator[None]:
    """Serve `/metrics` of the calls on `api.metrics_port`, where there is one.

    The library's own server, in a thread: handlers may block the event loop. Raises
    `ConfigurationError` where the port cannot be had.
    """
    port = settings.api.metrics_port if settings.api else None
    if api is None or port is None:
        yield
        return
    from prometheus_client import CollectorRegistry, start_http_server

    from receiver.observability.call_metrics import CallCollector

    registry = CollectorRegistry()
    registry.register(CallCollector(api.counts))
    try:
        server, thread = start_http_server(port, settings.receiver.host, registry)
    except OSError as error:
        raise ConfigurationError(
            f"api.metrics_port: cannot listen on {port}: {error.strerror}: set it to another port"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
