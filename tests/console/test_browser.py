"""The console in a real browser: every screen, in every scheme and width."""

from __future__ import annotations

from typing import Final, Literal

from playwright.async_api import Browser

from receiver.console.screens.table import SCREENS
from tests.console.browsing import NARROW, WIDE, needs_chromium, opened_tab
from tests.console.conftest import Site
from tests.console.seeded import ORDER

pytestmark = needs_chromium

PAGES: Final[dict[str, tuple[str, ...]]] = {
    "now": ("/",),
    "orders": ("/orders", "/orders?type=payment&since=1d"),
    "order": (f"/orders/{ORDER}",),
    "dead": ("/dead", "/dead?since=1d"),
    "letter": ("/dead/1",),
    "dead-retry": ("/dead/retry",),
    "dead-drop": ("/dead/drop",),
    "search": ("/search?q=SF1234567890",),
    "reveal": (f"/reveal?page=/orders/{ORDER}",),
}
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
