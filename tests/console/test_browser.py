"""The console in a real browser: every screen, in every scheme and width."""

from __future__ import annotations

from typing import Final, Literal

from playwright.async_api import Browser

from receiver.console.screens.table import SCREENS
from tests.console.browsing import NARROW, WIDE, needs_chromium, opened_tab
from tests.console.conftest import Site

pytestmark = needs_chromium

PAGES: Final[dict[str, tuple[str, ...]]] = {"now": ("/",)}
"""Of each screen the paths that are looked at."""
_SHOWN: Final[tuple[tuple[Literal["light", "dark"], int], ...]] = (
    ("light", WIDE),
    ("dark", WIDE),
    ("dark", NARROW),
    ("light", NARROW),
)


async def test_every_screen_is_well_made_in_light_and_dark_wide_and_narrow(
    site: Site, browser: Browser
) -> None:
    assert set(PAGES) == {screen.name for screen in SCREENS}
    async with opened_tab(browser, site.base) as tab:
        for path in (path for paths in PAGES.values() for path in paths):
            await tab.visit(path)
            for scheme, width in _SHOWN:
                await tab.show(scheme, width)
                await tab.audit(f"{path} ({scheme}, {width})")
    assert tab.faults == []
