"""A real browser on the console, which gathers whatever a page does wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest

if TYPE_CHECKING:  # every process that runs tests would take half a second to import it
    from playwright.async_api import Browser, BrowserContext, Page

PREFIX: Final = "/ops/yizhan"
CHROMIUM: Final = shutil.which("chromium") or "/usr/bin/chromium"
WIDE, NARROW = 1280, 320
_LISTEN: Final = """
document.addEventListener("securitypolicyviolation", (event) => {
  violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""
_FOCUS: Final = """() => {
  const one = document.activeElement, { outlineStyle, outlineWidth } = getComputedStyle(one);
  const names = [...(one.labels ?? [])].map((label) => label.innerText);
  const shown = outlineStyle !== "none" && outlineWidth !== "0px";
  return [names.concat(one.innerText, one.value ?? "").join(" ").trim(), shown];
}"""
"""The name of what has the focus, and whether it is marked."""
_STEPS: Final = 300

needs_chromium = pytest.mark.skipif(
    not Path(CHROMIUM).exists() and os.environ.get("CI") != "true",
    reason="needs chromium: apt-get install chromium",
)


@contextlib.asynccontextmanager
async def started_browser() -> AsyncIterator[Browser]:
    """Chromium without a window; as root it has no sandbox of its own."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        await browser.close()


@dataclass
class Tab:
    """One page of a browser, and the `faults` of all that it has shown."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)

    async def visit(self, path: str, *, status: int = 200) -> None:
        """Open a page by its path below the prefix."""
        answer = await self.page.goto(f"{self.base}{path}")
        assert answer is not None
        if answer.status != status:
            self.faults.append(f"{path} is answered {answer.status}")

    async def settle(self) -> None:
        """Let the page report what it has to."""
        await self.page.evaluate("new Promise((done) => setTimeout(done, 50))")

    async def show(self, scheme: Literal["light", "dark"], width: int) -> None:
        """Show the page in a colour scheme and a width."""
        await self.page.emulate_media(color_scheme=scheme)
        await self.page.set_viewport_size({"width": width, "height": 900})

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def click(self, selector: str) -> None:
        """Click on what a selector finds, and wait for the page that follows."""
        await self.page.locator(selector).first.click()
        await self.page.wait_for_load_state()

    async def arrived(self, path: str) -> None:
        """Wait for a page whose path begins so."""
        await self.page.wait_for_url(lambda url: url.startswith(f"{self.base}{path}"))

    async def focused(self) -> str:
        """The id of the element that has the focus."""
        return str(await self.page.evaluate("document.activeElement.id"))

    async def tab_to(self, text: str) -> None:
        """Press Tab until what has the focus is named so, and see that it shows it."""
        for _ in range(_STEPS):
            await self.press("Tab")
            name, is_shown = await self.page.evaluate(_FOCUS)
            if not is_shown:
                self.faults.append(f"{self.page.url}: the focus is not to be seen on: {name}")
            if text in name:
                return
        raise AssertionError(f"{self.page.url}: the keyboard does not reach: {text}")

    async def said(self, text: str) -> None:
        """Wait for a page that says what was done."""
        await self.page.locator("[role=status]", has_text=text).first.wait_for()

    async def count(self, selector: str) -> int:
        return await self.page.locator(selector).count()

    async def texts(self, selector: str) -> list[str]:
        return await self.page.locator(selector).all_inner_texts()


@contextlib.asynccontextmanager
async def opened_tab(browser: Browser, base: str, **context: Any) -> AsyncIterator[Tab]:
    """A tab with cookies of its own."""
    opened = await browser.new_context(reduced_motion="reduce", **context)
    opened.set_default_timeout(100_000)
    tab = Tab(await opened.new_page(), base)
    await _watch(opened, tab)
    yield tab
    await opened.close()


async def _watch(context: BrowserContext, tab: Tab) -> None:
    def said(kind: str, text: str) -> None:
        tab.faults.append(f"{tab.page.url}: {kind}: {text}")

    async def dialog(shown: Any) -> None:
        said("dialog", shown.message)
        await shown.dismiss()

    def failed(request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left meanwhile
            said("failed", request.url)

    def asked(url: str) -> None:
        if not url.startswith((f"{tab.base}/", "data:", "blob:")):
            said("asks for", url)

    await context.expose_binding("violated", lambda _, text: said("policy", text))
    await context.add_init_script(_LISTEN)
    tab.page.on("dialog", dialog)
    tab.page.on("pageerror", lambda error: said("error", str(error)))
    tab.page.on(
        "console",
        lambda one: said("console", one.text) if one.type in {"error", "warning"} else None,
    )
    tab.page.on("request", lambda request: asked(request.url))
    tab.page.on("requestfailed", failed)
