"""The platform's API of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from receiver.settings import Settings

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@contextlib.asynccontextmanager
async def opened_api(settings: Settings) -> AsyncIterator[PlatformAPI | None]:
    """The calls of the account, None where the settings have no `[api]`; nothing is sent yet.

    Raises `ConfigurationError` where the section cannot be used.
    """
    if settings.api is None:
        yield None
        return
    # The models of all calls take a third of the time of a start: only who calls pays for them.
    from receiver.client.platform import PlatformAPI

    async with PlatformAPI.open(settings.api) as api:
        yield api
