"""An operator's way at night through the first five screens: by the keyboard alone, and without
JavaScript. Each does what there is to do on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from receiver.testing import eventually
from tests.console.auditing import Auditor
from tests.console.browsing import Tab, needs_chromium, opened_tab
from tests.console.conftest import Site
from tests.console.seeded import ORDER

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [needs_chromium, pytest.mark.timeout(600)]

HANDLER = "wait_for_stock"
CAUSE = ".causes a[href*='/dead']"
SLOW = "0.01"
"""So few events a second that a replay of several runs until it is cancelled."""


async def test_the_keyboard_alone_is_enough_on_the_first_five_screens(
    site: Site, browser: Browser
) -> None:
    async with opened_tab(browser, site.base) as tab:
        auditor = Auditor(tab)
        await auditor.prepare()
        await tab.visit("/")
        await tab.press("Tab", "Enter")  # skips what stands on every page
        assert await tab.focused() == "main"
        await _letter_by_keys(tab)
        await _order_by_keys(tab)
        await _handler_by_keys(tab)
        await _replay_by_keys(tab, auditor)
        assert auditor.measured
    assert tab.faults == []


async def _letter_by_keys(tab: Tab) -> None:
    """From the cause that Now names to a letter, which is given back."""
    await tab.tab_to(await tab.page.locator(CAUSE).first.inner_text())
    await tab.press("Enter")
    await tab.arrived("/dead")
    await tab.press("j", "j", "k", "Enter")
    await tab.page.wait_for_url(lambda url: "cause=" in url)
    await tab.press("?")
    assert await tab.count("dialog[open]") == 1
    await tab.press("Escape")
    await tab.page.locator("dialog[open]").wait_for(state="detached")
    await tab.tab_to("Newest letter")
    await tab.press("Enter")
    await tab.page.wait_for_selector("text=Why")
    await tab.tab_to("Give it back")
    await tab.press("Enter")
    await tab.said("1 retried")


async def _order_by_keys(tab: Tab) -> None:
    """To an order by the search box, and to one kind of what happened to it."""
    await tab.press("/")
    assert await tab.focused() == "q"
    await tab.page.keyboard.type(ORDER)
    await tab.press("Enter")
    await tab.arrived(f"/orders/{ORDER}")
    assert await tab.page.title() == f"Order {ORDER} · Yizhan"
    await tab.tab_to("run")
    await tab.press("Enter")
    await tab.arrived(f"/orders/{ORDER}?show=run")
    await tab.press("t")
    assert await tab.page.locator("time .utc").first.is_visible()


async def _handler_by_keys(tab: Tab) -> None:
    """A handler is paused for a reason, resumed and rewound."""
    await tab.press("g", "h")
    await tab.arrived("/handlers")
    await tab.tab_to(HANDLER)
    await tab.press("Enter")
    await tab.arrived(f"/handlers/{HANDLER}")
    await tab.tab_to("Reason")
    await tab.page.keyboard.type("stock is counted")
    await tab.press("Enter")
    await tab.said("paused")
    assert "stock is counted" in await tab.page.locator("#standing").inner_text()
    await tab.tab_to("Resume")
    await tab.press("Enter")
    await tab.said("goes on")
    await tab.tab_to("Rewind")
    await tab.press("Enter")
    await tab.arrived(f"/handlers/{HANDLER}/rewind")
    await tab.tab_to("To which place")
    await tab.page.keyboard.type("#1")
    await tab.press("Enter")
    await tab.arrived(f"/handlers/{HANDLER}/rewind?to=")
    await tab.tab_to("Run ")
    await tab.press("Enter")
    await tab.said("again")


async def _replay_by_keys(tab: Tab, auditor: Auditor) -> None:
    """A replay is planned, run, followed, reported and cancelled."""
    await tab.press("g", "r")
    await tab.arrived("/replays")
    await tab.tab_to("Plan a replay")
    await tab.press("Enter")
    await tab.arrived("/replay/plan")
    await tab.tab_to(HANDLER)
    await tab.press("Space")
    await tab.tab_to("limit")
    await tab.page.keyboard.type("3")
    await tab.tab_to("Events a second")
    await tab.page.keyboard.type(SLOW)
    await tab.tab_to("Plan it")
    await tab.press("Enter")
    await tab.arrived("/replays/plan-")
    await auditor.audit("/replays, planned")
    await tab.tab_to("Run 3")
    await tab.press("Enter")
    await tab.said("The workers run it.")
    await tab.page.wait_for_selector("progress")
    await auditor.audit("/replays, running")
    await tab.tab_to("Report so far")
    await tab.press("Enter")
    await tab.page.wait_for_selector("#report")
    await tab.tab_to("Cancel it for good")
    await tab.press("Enter")
    await tab.said("It is cancelled")
    await auditor.audit("/replays, over")


async def test_without_javascript_the_first_five_screens_do_all_they_do(
    site: Site, browser: Browser
) -> None:
    async with opened_tab(browser, site.base, java_script_enabled=False) as tab:
        await tab.visit("/")
        await tab.click(CAUSE)
        await tab.arrived("/dead")
        await tab.click("text=Newest letter >> nth=0")
        await tab.click("text=Give it back")
        await tab.said("1 retried")

        await tab.page.fill("#q", ORDER)
        await tab.click("text=Go >> nth=0")
        await tab.arrived(f"/orders/{ORDER}")
        await tab.click("main >> text=/^callbacks? /")
        await tab.arrived(f"/orders/{ORDER}?show=callback")

        await tab.click("nav >> text=Handlers")
        await tab.click(f"main >> text={HANDLER}")
        await tab.page.fill("#reason", "stock is counted")
        await tab.click("text=Pause")
        await tab.said("paused")
        await tab.click("text=Resume")
        await tab.said("goes on")
        await tab.click("main >> text=Rewind")
        await tab.page.fill("#to", "#1")
        await tab.click("text=Count")
        await tab.click("text=/^Run .* again$/")
        await tab.said("again")

        await tab.click("nav >> text=Replays")
        await tab.click("text=Plan a replay")
        await tab.page.check(f"text={HANDLER}")
        await tab.page.fill("#f-limit", "3")
        await tab.page.fill("#rate", "0")
        await tab.click("text=Plan it")
        await tab.click("text=Run 3")
        await tab.said("The workers run it.")
        await eventually(lambda: _is_over(tab), within_s=100)
        assert "3, " in await tab.page.locator("[aria-labelledby=report]").inner_text()
    assert tab.faults == []


async def _is_over(tab: Tab) -> bool:
    await tab.page.reload()
    return bool(await tab.count("text=finished"))
