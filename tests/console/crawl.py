"""Follows every link of the console, as a browser without JavaScript does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx2
from starlette.routing import compile_path

from receiver.console.screen import Screen
from receiver.console.screens.table import SCREENS
from tests.console.desk import Page

_OF_A_SCREEN: Final = 12
"""So many pages of one screen are read, one for each text of a sender; the rest would be of the
same template."""


@dataclass
class Crawl:
    """What was found below `base`: the paths of each screen, the pages, and what is wrong."""

    base: str
    paths: dict[str, list[str]] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def follow(self, start: Sequence[str]) -> None:
        """Read the pages, and those that they lead to."""
        prefix = urlsplit(self.base).path
        waiting, counted = [*start], Counter[str]()
        async with httpx2.AsyncClient(timeout=60) as http:
            while waiting:
                path = waiting.pop(0)
                screen = screen_of(path)
                name = screen.name if screen else path.partition("?")[0]
                if path in self.pages or counted[name] >= _OF_A_SCREEN:
                    continue
                counted[name] += 1
                page = await self._read(http, path)
                if page is None:
                    continue
                self.pages[path] = page
                self.paths.setdefault(name, []).append(path)
                forms = {form[":action"] for form in page.forms}
                for link in (one for one in page.links if one not in forms):
                    if link.startswith(f"{prefix}/"):
                        waiting.append(link.removeprefix(prefix).partition("#")[0])
                    elif not link.startswith("#"):
                        self.faults.append(f"{path} leads to {link}")

    async def _read(self, http: httpx2.AsyncClient, path: str) -> Page | None:
        answer = await http.get(f"{self.base}{path}", follow_redirects=True)
        if answer.status_code != 200:
            self.faults.append(f"{path} is answered {answer.status_code}")
        elif answer.headers["content-type"].startswith("text/html"):
            try:
                return Page(answer.text)
            except AssertionError as error:
                self.faults.append(f"{path}: {error}")
        return None


def screen_of(path: str) -> Screen | None:
    """The screen that shows a path; None for what is none, such as a file or a `.json`."""
    plain = path.partition("?")[0]
    exact = [one for one in SCREENS if one.path == plain]
    fits = [one for one in SCREENS if compile_path(one.path)[0].match(plain)]
    found = [*exact, *fits]
    return found[0] if found and not plain.endswith(".json") else None
