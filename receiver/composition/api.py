"""The platform's API of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from receiver.bus.account_rate import AccountRate
from receiver.composition.bus import Bus
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
