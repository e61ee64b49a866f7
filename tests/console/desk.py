"""A console over a real stream, asked as a browser asks it, and its pages read strictly."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import httpx2

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.console import console_desk
from receiver.console.app import create_console
from receiver.console.desk import Desk
from receiver.settings import NatsSettings, Settings, SourceSettings
from receiver.settings.console import ConsoleSettings
from tests.operations.shelf import Shelf

ROOT_PATH: Final = "/ops/yizhan"
_VOID: Final = frozenset({"meta", "link", "input", "br", "hr", "img"})


class Page(HTMLParser):
    """Reads a page strictly: raises where an element is not closed in its turn, or has a style or a
    script of its own. Left of it are its `links`, `text`, `ids`, and of each form the fields.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.forms: list[dict[str, str]] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open
        assert len(self.ids) == len(set(self.ids)), "an id stands twice"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def form(self, action: str) -> dict[str, str]:
        """The fields of the form that goes there."""
        return next(one for one in self.forms if one[":action"] == action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert len(given) == len(attrs), f"an attribute of {tag} stands twice"
        own = [name for name in given if name == "style" or name.startswith("on")]
        assert not own, f"{tag} has {own}"
        self.links += [given[name] for name in ("href", "src", "action", "hx-get") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        if tag == "form":
            self.forms.append({":method": given["method"], ":action": given.get("action", "")})
        if tag == "input" and "name" in given and "form" in self._open:
            self.forms[-1][given["name"]] = given.get("value", "")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> stands where another element is open"

    def handle_data(self, data: str) -> None:
        self._texts.append(data)


@dataclass
class Visitor:
    """Asks a console below its prefix, as the proxy passes it on."""

    http: httpx2.AsyncClient
    bus: Bus
    shelf: Shelf
    desk: Desk

    async def get(self, path: str, status: int = 200) -> Page:
        answer = await self.http.get(f"{ROOT_PATH}{path}")
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = Page(answer.text)
        outside = [one for one in page.links if not one.startswith((f"{ROOT_PATH}/", "#"))]
        assert not outside, outside
        return page

    async def json(self, path: str, status: int = 200) -> Any:
        answer = await self.http.get(f"{ROOT_PATH}{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.http.post(
            f"{ROOT_PATH}{path}", data=fields, headers={"sec-fetch-site": "same-origin"}
        )

    async def sent(self, path: str, **fields: str) -> Page:
        """Send a form, and read the page that it leads to."""
        answer = await self.post(path, **fields)
        assert answer.status_code == 303, answer.text
        return await self.get(answer.headers["location"].removeprefix(ROOT_PATH))


@contextlib.asynccontextmanager
async def opened_visitor(nats_url: str, directory: Path) -> AsyncIterator[Visitor]:
    """Over streams of its own, which are deleted at the end."""
    root = f"t{secrets.token_hex(6)}"
    source = SourceSettings(name="shop", dialect="xport", verification="none")
    settings = Settings(
        nats=NatsSettings(url=nats_url, subject_root=root, data_dir=directory),
        console=ConsoleSettings(root_path=ROOT_PATH),
        sources=(source,),
    )
    async with opened_bus(settings, name="console", patience_s=10) as bus:
        desk = console_desk(settings, bus, ())
        publisher = GroupCommitPublisher(bus.connection, timeout_s=10)
        transport = httpx2.ASGITransport(create_console(desk, settings))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Visitor(http, bus, Shelf(publisher, bus.subjects), desk)
        await publisher.stop()
        await _delete(bus.connection, bus.subjects)


@contextlib.asynccontextmanager
async def where(visitor: Visitor, **known: Any) -> AsyncIterator[Visitor]:
    """The same console, but what its desk is given: `status`, `counted`, `configured` and the like;
    what is no function becomes one that gives it, as those of a desk are.
    """
    given: dict[str, Any] = {
        name: one if callable(one) or name == "configured" else partial(_given, one)
        for name, one in known.items()
    }
    desk = replace(visitor.desk, **given)
    settings = Settings(console=ConsoleSettings(root_path=ROOT_PATH))
    transport = httpx2.ASGITransport(create_console(desk, settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield replace(visitor, http=http, desk=desk)


async def _given(known: Any) -> Any:
    return known


async def _delete(connection: Connection, subjects: Subjects) -> None:
    jetstream = connection.jetstream
    for info in await jetstream.streams_info():
        if info.config.name and info.config.name.startswith(subjects.stream):
            await jetstream.delete_stream(info.config.name)
