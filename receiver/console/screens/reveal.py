"""Showing personal data of one page to one viewer, for a reason that is recorded first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from receiver.console.desk import Desk
from receiver.console.rendering import query
from receiver.console.screen import Act, Asked, Done, ForbiddenError, Screen
from receiver.errors import ConfigurationError
from receiver.operations.acting import checked_reason

_PAGE: Final = re.compile(r"/[A-Za-z0-9][^\s?#\\]{0,600}")


@dataclass(frozen=True, slots=True)
class RevealView:
    """The page whose personal data is asked for."""

    title: str
    command: str
    page: str


async def read(desk: Desk, asked: Asked) -> RevealView:
    """The page that asks why."""
    return RevealView("Show personal data?", "", _page(asked))


async def reveal(desk: Desk, asked: Asked) -> Done:
    """Record it, and show the page in full for ten minutes."""
    page = _page(asked)
    why = checked_reason(
        asked.others.get("reason", ""), write="say what it is needed for, for whoever asks"
    )
    name = asked.viewer.name
    async with desk.trail(name).act("reveal", target=page, reason=why):
        word = desk.reveals.grant(name, page)
    return Done(page + query({"reveal": word}), "Personal data is shown on this page.")


def _page(asked: Asked) -> str:
    """Of the console; raises `ForbiddenError` for who may not see personal data."""
    if not asked.viewer.personal:
        raise ForbiddenError(f"{asked.viewer.name} may not see personal data")
    page = asked.others.get("page", "")
    if not _PAGE.fullmatch(page):
        raise ConfigurationError(f"page {page!r}: is no page of the console")
    return page


SCREEN: Final = Screen(
    name="reveal",
    path="/reveal",
    template="reveal.html",
    read=read,
    others=("page",),
    act=Act(reveal, role="viewer"),
)
