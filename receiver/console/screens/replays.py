"""The replays: planned, under way, over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone
from receiver.console.screen import Asked, Screen
from receiver.worker.replaying.record import ReplayRecord

_TONES: Final[dict[str, Tone]] = {"interrupted": "look", "running": "well", "finished": "well"}


@dataclass(frozen=True, slots=True)
class Row:
    """A replay in the list; `at` is when it ended, else when it began, else when it was planned."""

    name: str
    state: str
    tone: Tone
    count: int
    targets: tuple[str, ...]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReplaysView:
    """Every replay that is kept, what changed last at the top."""

    title: str
    command: str
    replays: tuple[Row, ...]


async def read(desk: Desk, asked: Asked) -> ReplaysView:
    """Of the last day where they were not begun, else of 30 days."""
    return view(await desk.replays.all())


def view(found: Sequence[tuple[ReplayRecord, str]]) -> ReplaysView:
    """The page of replays and their states."""
    return ReplaysView(
        title="Replays",
        command="yizhan replay list",
        replays=tuple(_row(record, state) for record, state in reversed(found)),
    )


def tone_of(state: str) -> Tone:
    """`look` for one that does not go on by itself."""
    return _TONES.get(state, "unknown")


def _row(record: ReplayRecord, state: str) -> Row:
    return Row(
        name=record.name,
        state=state,
        tone=tone_of(state),
        count=record.count,
        targets=tuple(record.targets),
        by=record.by,
        at=record.ended_at or record.begun_at or record.planned_at,
    )


SCREEN: Final = Screen(
    name="replays",
    path="/replays",
    template="replays.html",
    read=read,
    menu="Replays",
    key="r",
)
