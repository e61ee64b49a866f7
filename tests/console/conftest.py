"""One console for the pages, over one stream that holds an order and its letters."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.console.desk import Browser, opened_browser


@pytest.fixture(scope="module")
async def browser(
    nats_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    async with opened_browser(nats_url, tmp_path_factory.mktemp("console")) as opened:
        yield opened
