"""The search box: takes any id, and goes where it leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from receiver.console.desk import Desk
from receiver.console.rendering import query, segment
from receiver.console.screen import Asked, ElsewhereError, GoneError, Screen
from receiver.operations.look.finding import Found, find, why_not


@dataclass(frozen=True, slots=True)
class Place:
    """One of several things that have the number, and its page."""

    kind: str
    text: str
    page: str


@dataclass(frozen=True, slots=True)
class SearchView:
    """What was asked for, and what has this number; nothing of it, then `hint` says more."""

    title: str
    command: str
    text: str
    places: tuple[Place, ...]
    hint: str
    widely: bool


async def read(desk: Desk, asked: Asked) -> SearchView:
    """The page of what the text names: raises `ElsewhereError` where that is one thing."""
    text, widely = asked.others.get("q", ""), "widely" in asked.others
    if text in desk.configured.sources:
        raise ElsewhereError(f"/sources/{segment(text)}")
    found = await find(desk.archive, text, widely=widely)
    places = tuple(Place(one.kind, one.text, page_of(one)) for one in found)
    if len(places) == 1:
        raise ElsewhereError(places[0].page)
    if not text:
        raise GoneError("Write an id into the box above: of an order, an event, a callback.")
    return SearchView(
        title=f"Search for {text}",
        command="",
        text=text,
        places=places,
        hint="" if places else why_not(text),
        widely=widely,
    )


def page_of(found: Found) -> str:
    """Where it is shown."""
    if found.kind == "cause":
        return "/dead" + query({"cause": found.text})
    if found.kind == "type":
        return "/events" + query({"type": found.text})
    if found.kind == "order":
        return f"/orders/{segment(found.text)}"
    return f"/{'events' if found.kind == 'event' else 'callbacks'}/{found.seq}"


SCREEN: Final = Screen(
    name="search", path="/search", template="search.html", read=read, others=("q", "widely")
)
