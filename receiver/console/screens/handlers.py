"""Every handler: whether it keeps up, and what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone, state_words, tone_of
from receiver.console.screen import Asked, Screen
from receiver.operations.handler_report import handler_report
from receiver.operations.look.documents import moment
from receiver.operations.workers import activity


@dataclass(frozen=True, slots=True)
class Row:
    """A handler in the list; `oldest_at` is when its oldest event that is not done was stored."""

    handler: str
    tone: Tone
    text: str
    owner: str
    pending: int
    running: int
    put_off: int
    dead_letters: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class HandlersView:
    """All handlers that are loaded here or have a position."""

    title: str
    command: str
    handlers: tuple[Row, ...]


async def read(desk: Desk, asked: Asked) -> HandlersView:
    """Positions as they are now, and what processes do as it was a moment ago."""
    return view(await reports(desk, asked.now))


def view(found: Sequence[Mapping[str, Any]]) -> HandlersView:
    """The page of the documents of `yizhan handlers`."""
    return HandlersView(
        title="Handlers", command="yizhan handlers", handlers=tuple(map(_row, found))
    )


async def reports(desk: Desk, now: datetime) -> list[dict[str, Any]]:
    """The documents of `yizhan handlers`; raises `BusError`."""
    workers = await desk.workers()
    return [
        handler_report(replace(one, activity=activity(workers, one.name)), now)
        for one in await desk.handlers.backlogs()
    ]


def owner_of(report: Mapping[str, Any]) -> str:
    """The process that runs a handler, in words."""
    if owner := report["owner"]:
        return f"worker {owner['worker']}, process {owner['pid']} of {owner['host']}"
    if report["pulled"]:
        return "a process that does not answer"
    return f"off: {report['off']}" if report["off"] else "no process runs it now"


def _row(report: Mapping[str, Any]) -> Row:
    return Row(
        handler=report["handler"],
        tone=tone_of(report),
        text=", ".join(state_words(report)),
        owner=owner_of(report),
        pending=report["pending"],
        running=report["running"],
        put_off=report["scheduled"] + report["timers"] + report["coalescing"],
        dead_letters=report["dead_letters"],
        oldest_at=moment((report["oldest"] or {}).get("time")),
    )


SCREEN: Final = Screen(
    name="handlers",
    path="/handlers",
    template="handlers.html",
    read=read,
    menu="Handlers",
    key="h",
)
