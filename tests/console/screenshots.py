"""The pictures of the docs: `make screenshots`, of a console on a simulated platform; needs a font
with Chinese (fonts-wqy-microhei).

A handler fails on some of the orders, so that there is something to look at.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Final, Literal

from tests.cli.conftest import Running, Yizhan
from tests.console.browsing import NARROW, WIDE, Tab, opened_tab, started_browser

PICTURES: Final = Path(__file__).parents[2] / "docs" / "console"
_RUNS_S: Final = 30
_MAX_BYTES: Final = 150_000
_SETTINGS: Final = """
[handlers]
load = ["handlers:router", "shop_handlers:router"]
[console]
port = 0
"""
_HANDLERS: Final = """
from receiver.worker.retry_policy import RetryPolicy
from yizhan import Context, Event, Router
from yizhan.events import LogisticsShipped, PaymentSucceeded

router = Router()

@router.on(PaymentSucceeded, retry=RetryPolicy(max_attempts=1))
async def book_payment(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if int(event.order_id[-1]) > 6:
        raise LookupError("no ledger account for this shop")

@router.on(LogisticsShipped, retry=RetryPolicy(max_attempts=1))
async def announce_parcel(event: Event[LogisticsShipped], ctx: Context) -> None:
    if int(event.order_id[-1]) == 3:
        raise TimeoutError("the warehouse did not answer in 10 s")
"""


async def take(tab: Tab, name: str, scheme: Literal["light", "dark"], width: int) -> None:
    """Write a picture of the page as it is, the top of it."""
    await tab.show(scheme, width)
    file = PICTURES / f"{name}.png"
    await tab.page.screenshot(path=file)
    size = file.stat().st_size
    print(f"{file.relative_to(PICTURES.parents[1])}: {size:,} bytes")
    assert size < _MAX_BYTES, f"{file}: is larger than {_MAX_BYTES} bytes"


async def walk(tab: Tab) -> None:
    """From Now to a source, to the letters, to an order."""
    await tab.visit("/")
    await take(tab, "now", "light", WIDE)
    await take(tab, "now-phone", "dark", NARROW)
    await tab.click("main a[href$='/sources/dev']")
    await take(tab, "source", "light", WIDE)
    await tab.click("nav >> text=Dead letters")
    await take(tab, "dead", "light", WIDE)
    await tab.click("text=Newest letter")
    await tab.click("main a[href*='/orders/']")
    await take(tab, "order", "light", WIDE)


async def main() -> None:
    """Run everything for a while, then look at it."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "shop_handlers.py").write_text(_HANDLERS, encoding="utf-8")
        (directory / "yizhan.toml").write_text(_SETTINGS, encoding="utf-8")
        running = await Yizhan(directory).anew.start("up", "--simulate")
        base = await served(running)
        reading = asyncio.create_task(running.line(lambda _: False, within_s=600))
        try:
            await asyncio.sleep(_RUNS_S)
            async with started_browser() as browser, opened_tab(browser, base) as tab:
                await walk(tab)
            assert tab.faults == [], tab.faults
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            await running.stop()


async def served(running: Running) -> str:
    """The URL of the console."""
    line = await running.line(lambda one: one.strip().startswith("console "))
    found = re.search(r"http://\S+", line)
    assert found is not None, line
    return found[0].rstrip("/")


if __name__ == "__main__":
    asyncio.run(main())
