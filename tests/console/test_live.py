"""The live tail as a browser follows it, over a restart of NATS and to the end of the console."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2

from receiver.bus.subjects import Subjects
from receiver.composition.bus import opened_bus
from receiver.composition.console import console_desk, running_console
from receiver.console.following import followed
from receiver.console.sent_events import Viewers
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.settings import NatsSettings, Settings
from receiver.testing import eventually
from receiver.web.server import bind
from tests.bus.plain_server import plain_server
from tests.console.browsing import needs_chromium, opened_tab
from tests.console.conftest import Site
from tests.console.desk import ROOT_PATH, Visitor, opened_visitor
from tests.console.seeded import ORDER

if TYPE_CHECKING:
    from playwright.async_api import Browser

_GATHERED: Final = """
window.sources = [];
window.EventSource = class extends EventSource {
  constructor(...given) { super(...given); window.sources.push(this); }
};
"""
_STATES: Final = "window.sources.map((one) => one.readyState)"
_OPEN, _SHUT = 1, 2
_HIDDEN: Final = """() => {
  Object.defineProperty(document, "hidden", { value: %s, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@dataclass
class Viewer:
    """What a viewer has received: the rows with their ids, the marks of what was stored."""

    ids: list[int] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    is_ended: bool = False

    async def follow(self, http: httpx2.AsyncClient, path: str) -> None:
        """Until the server ends it; goes on behind the last id, where there is one."""
        last = {"last-event-id": str(self.ids[-1])} if self.ids else {}
        async with http.stream("GET", path, headers=last, timeout=None) as answer:
            assert answer.status_code == 200
            self.headers = dict(answer.headers)
            block: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    block[name] = value
                    continue
                self._take(block)
                block = {}
            self.is_ended = True

    def _take(self, block: dict[str, str]) -> None:
        if block.get("event") == "row":
            self.ids.append(int(block["id"]))
            self.rows.append(json.loads(block["data"]))
        if block.get("event") == "stored":
            self.marks.append(block["id"])


@contextlib.asynccontextmanager
async def following(viewer: Viewer, http: httpx2.AsyncClient, path: str) -> AsyncIterator[None]:
    """While the viewer is there."""
    viewer.headers = {}
    task = asyncio.create_task(viewer.follow(http, path))
    try:
        await eventually(lambda: bool(viewer.headers) or task.done(), within_s=60)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def served(visitor: Visitor, directory: Path) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A console on a port of its own, by its URL; it is stopped once the event is set."""
    settings = Settings.model_validate(
        {"console": {"root_path": ROOT_PATH}, "nats": {"data_dir": str(directory)}}
    )
    urls: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()

    async def serve() -> None:
        listener = bind("127.0.0.1", 0)
        async with running_console(settings, visitor.bus, listener, ()) as url:
            urls.put_nowait(url.rstrip("/"))
            await stop.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        yield await urls.get(), stop
        stop.set()


async def test_each_event_comes_once_over_restarts_and_the_console_ends_it(tmp_path: Path) -> None:
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path / "nats", port=0))
    await server.start()
    try:
        async with opened_visitor(server.url, tmp_path) as visitor:
            await visitor.shelf.push("before")
            async with served(visitor, tmp_path) as (base, stop), httpx2.AsyncClient() as http:
                await _walk(visitor, server, base, http, stop)
    finally:
        await server.stop()


async def _walk(
    visitor: Visitor,
    server: EmbeddedServer,
    base: str,
    http: httpx2.AsyncClient,
    stop: asyncio.Event,
) -> None:
    path = base + (await visitor.json("/events.json"))["live"]
    viewer = Viewer()
    async with following(viewer, http, path):
        await visitor.shelf.push("1")
        await eventually(lambda: len(viewer.ids) >= 1, within_s=60)
        await server.stop()
        await server.start()
        await eventually(lambda: visitor.bus.connection.ready, within_s=60)
        await visitor.shelf.push("2")
        await eventually(lambda: len(viewer.ids) >= 2, within_s=60)
    assert viewer.headers["x-accel-buffering"] == "no"
    assert viewer.headers["content-type"].startswith("text/event-stream")
    await visitor.shelf.push("while it is away")
    async with following(viewer, http, path):
        await visitor.shelf.push("<b>4</b>")
        await eventually(lambda: len(viewer.ids) >= 4, within_s=60)
        stop.set()
        await eventually(lambda: viewer.is_ended, within_s=60)
    events = (await visitor.json("/events.json"))["events"]
    assert viewer.ids == [one["seq"] for one in events][::-1][1:]
    assert [row["order_id"] for row in viewer.rows] == ["1", "2", "while it is away", "<b>4</b>"]
    assert viewer.rows[3]["order_page"] == "/orders/%3Cb%3E4%3C%2Fb%3E"


async def test_a_page_of_an_order_hears_of_what_is_stored_until_the_console_ends(
    visitor: Visitor, tmp_path: Path
) -> None:
    await visitor.shelf.push("followed")
    async with served(visitor, tmp_path) as (base, stop), httpx2.AsyncClient() as http:
        viewer = Viewer()
        life = await visitor.json("/orders/followed.json")
        seq = next(one["seq"] for one in life["entries"] if one["kind"] == "event")
        for page in ("/orders/followed", f"/events/{seq}"):
            assert f'data-follow="{ROOT_PATH}/live{page}?' in (await http.get(base + page)).text
        async with following(viewer, http, base + life["live"]):
            await visitor.shelf.push("another")
            await visitor.shelf.push("followed", again="1")
            await eventually(lambda: bool(viewer.marks), within_s=60)
            stop.set()
            await eventually(lambda: viewer.is_ended, within_s=60)
    assert viewer.marks == ["2-0-0-0"]


async def test_a_page_stands_where_our_user_may_not_count_what_is_new(tmp_path: Path) -> None:
    denied = f"$JS.API.STREAM.INFO.{Subjects().runs_stream}"
    may = {"publish": {"allow": ">", "deny": denied}, "subscribe": {"allow": ">"}}
    users = {"users": [{"user": "u", "password": "p", "permissions": may}]}
    async with plain_server(tmp_path, f"authorization {json.dumps(users)}") as address:
        nats = NatsSettings(url=f"nats://u:p@{address}", data_dir=tmp_path)
        async with opened_bus(Settings(nats=nats), name="console", patience_s=60) as bus:
            desk = console_desk(Settings(nats=nats), bus, ())
            assert await followed(desk, "/orders/1", "1") == ""


async def test_no_more_follow_than_there_is_room_for() -> None:
    viewers, ended = Viewers(1), asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b""
        await ended.wait()

    transport = httpx2.ASGITransport(viewers.answer(parts()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://console") as http:
        followed = asyncio.create_task(http.get("/"))
        await eventually(lambda: viewers.is_full)
        refused = viewers.refusal()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "15")
        ended.set()
        assert (await followed).status_code == 200
    assert not viewers.is_full


@needs_chromium
async def test_a_tab_that_is_not_looked_at_leaves_its_connection(
    site: Site, browser: Browser
) -> None:
    async with opened_tab(browser, site.base) as tab:
        await tab.page.add_init_script(_GATHERED)
        for path in ("/events", f"/orders/{ORDER}"):
            await tab.visit(path)
            steps = {"false": [_OPEN], "true": [_SHUT], "false ": [_SHUT, _OPEN]}
            for hidden, states in steps.items():
                await tab.page.evaluate(_HIDDEN % hidden)

                async def shown(states: list[int] = states) -> bool:
                    found: list[int] = await tab.page.evaluate(_STATES)
                    return found == states

                await eventually(shown, within_s=60)
    assert tab.faults == []
