"""The console in a real browser, on a log in which a sender has written whatever it likes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import pytest

from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.console.screens.table import SCREENS
from tests.console.asked import TOKEN
from tests.console.auditing import Auditor
from tests.console.browsing import needs_chromium, opened_tab
from tests.console.conftest import Site
from tests.console.crawl import Crawl
from tests.console.seeded import HOSTILE
from tests.operations.shelf import Shelf

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [needs_chromium, pytest.mark.timeout(600)]  # every screen, four times

_GET_IN: Final = """() => {
  const inert = { createHTML: (text) => text, createScript: (text) => text };
  const trusted = trustedTypes.createPolicy("test", inert);
  const script = document.createElement("script");
  const html = "<img src='data:,' onerror='window.ran = 1'>";
  const name = (act) => { try { act(); return "done"; } catch (error) { return error.name; } };
  const names = [
    name(() => { document.body.innerHTML = html; }),
    name(() => { script.text = "window.ran = 1"; }),
  ];
  script.text = trusted.createScript("window.ran = 1");
  document.body.append(script);
  document.body.insertAdjacentHTML("beforeend", trusted.createHTML(html));
  return new Promise((done) => setTimeout(() => done([...names, window.ran ?? "nothing"]), 100));
}"""
"""What somebody would do who can write into a page, and what becomes of it."""
_WRITTEN: Final = "main script, main img, main b, main [onerror], main [onload]"
"""What only a sender would write."""
_OF_A_SCREEN: Final = 3
_REACHED_BY_FORM: Final = {"search"}


@pytest.fixture(scope="package")
async def crawl(site: Site) -> Crawl:
    """Every page of the console, from the first one on."""
    found = Crawl(site.base)
    await found.follow(["/"])
    return found


async def test_every_link_leads_to_a_whole_page_below_the_prefix(crawl: Crawl) -> None:
    assert crawl.faults == []
    assert set(crawl.paths) >= {screen.name for screen in SCREENS} - _REACHED_BY_FORM


async def test_every_screen_is_well_made_in_light_and_dark_wide_and_narrow(
    site: Site, crawl: Crawl, browser: Browser
) -> None:
    async with opened_tab(browser, site.base) as tab:
        auditor = Auditor(tab)
        await auditor.prepare()
        for screen in SCREENS:
            for path in crawl.paths.get(screen.name, [])[:1]:
                await tab.visit(path)
                await auditor.audit(path)
        assert auditor.measured
    assert tab.faults == []


async def test_a_user_logs_in_and_out_in_the_browser(site: Site, browser: Browser) -> None:
    async with opened_tab(browser, site.locked) as tab:
        auditor = Auditor(tab)
        await auditor.prepare()
        await tab.visit("/dead?since=1d")
        await auditor.audit("/login")
        await tab.page.fill("#name", "mei")
        await tab.page.fill("#token", TOKEN)
        await tab.press("Enter")
        await tab.arrived("/dead?since=1d")
        await tab.click("text=Log out")
        await tab.arrived("/login")
        await tab.visit("/")
        await tab.arrived("/login?next=")
    assert tab.faults == []


async def test_what_a_sender_writes_is_text_on_every_page(
    site: Site, crawl: Crawl, browser: Browser
) -> None:
    written = {
        text for text in HOSTILE if any(text.strip() in p.text for p in crawl.pages.values())
    }
    assert written >= set(HOSTILE[:7])
    async with opened_tab(browser, site.base) as tab:
        for paths in crawl.paths.values():
            for path in _telling(paths, crawl):
                await tab.visit(path)
                assert await tab.count(_WRITTEN) == 0, path
    assert tab.faults == []


def _telling(paths: Sequence[str], crawl: Crawl) -> Iterator[str]:
    """Some pages of a screen, each of which shows what a sender wrote that none before it does."""
    left = set(HOSTILE)
    for _ in range(_OF_A_SCREEN):
        shown = {path: {text for text in left if text in crawl.pages[path].text} for path in paths}
        path = max(shown, key=lambda one: len(shown[one]))
        if shown[path]:
            yield path
        left -= shown[path]


async def test_what_got_into_a_page_would_not_run(site: Site, browser: Browser) -> None:
    async with opened_tab(browser, site.base) as tab:
        await tab.visit("/")
        assert await tab.page.evaluate(_GET_IN) == ["TypeError", "TypeError", "nothing"]
        await tab.settle()
    reported = " ".join(fault for fault in tab.faults if ": policy: " in fault)
    for directive in (
        "require-trusted-types-for",
        "script-src-elem inline",
        "script-src-attr inline",
    ):
        assert directive in reported


async def test_of_two_operators_who_give_a_letter_back_at_once_one_does(
    site: Site, browser: Browser
) -> None:
    async with opened_tab(browser, site.base) as one, opened_tab(browser, site.base) as other:
        await one.visit("/dead?handler=look_at_unknown")
        await one.click("text=Newest letter")
        await other.page.goto(one.page.url)
        letter = one.page.url
        await asyncio.gather(*(tab.click("text=Give it back") for tab in (one, other)))
        for tab in (one, other):
            await tab.page.wait_for_url(lambda url: url != letter)
        said = [await tab.page.locator("main").inner_text() for tab in (one, other)]
    assert sum("1 retried" in text for text in said) == 1, said
    late = ("another was faster", "1 already done by another")
    assert sum(any(words in text for words in late) for text in said) == 1, [t[:300] for t in said]


async def test_what_is_stored_comes_on_top_until_it_is_paused(site: Site, browser: Browser) -> None:
    publisher = GroupCommitPublisher(site.connection, timeout_s=60)
    shelf = Shelf(publisher, site.subjects)
    async with opened_tab(browser, site.base) as tab:
        auditor = Auditor(tab)
        await auditor.prepare()
        await tab.visit("/events")
        await tab.page.wait_for_selector("text=Following", timeout=0)
        await shelf.push("2745812000000000777", note=HOSTILE[0])
        await tab.page.wait_for_selector("tr.new >> text=2745812000000000777", timeout=0)
        assert await tab.count("tr.new [hx-get], tr.new script") == 0
        await auditor.audit("/events, live")
        await tab.click("text=Pause")
        await tab.page.wait_for_selector("text=Paused", timeout=0)
        await shelf.push(HOSTILE[1], note="while it is paused")
        await tab.click("[data-live-pause]")
        await tab.page.wait_for_selector("tr.new:nth-child(2)", timeout=0)
        assert await tab.count("tr.new") == 2
        await tab.click("tr.new:nth-child(1) th a")
        await tab.arrived("/events/")
        await tab.visit("/orders/2745812000000000777")
        await tab.page.wait_for_selector("text=Following", timeout=0)
        await tab.click("summary")
        await shelf.push("2745812000000000777", note="what is open stays open")
        await tab.page.wait_for_selector("[data-new]", timeout=0)
        assert await tab.count("details[open]") == 1
        await auditor.audit("/orders, live")
    assert tab.faults == []
    await publisher.stop()
