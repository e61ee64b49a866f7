"""Effects in doubt, and what an operator says became of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.path_text import TEXT
from receiver.console.rendering import segment
from receiver.console.screen import Act, Asked, Done, GoneError, Screen
from receiver.errors import ConfigurationError
from receiver.operations.acting import checked_reason
from receiver.operations.doubt import Doubt, Doubts, doubt_document

_VERDICTS: Final = {"happened": True, "not-happened": False}


@dataclass(frozen=True, slots=True)
class DoubtsView:
    """The effects as `yizhan doubt --json` has them, those that changed last first, and since when
    each is in its state, at the same place in `since`; `unreadable` is what is to be said of
    entries that cannot be read. `words` are the filters.
    """

    title: str
    command: str
    words: dict[str, str]
    effects: tuple[dict[str, Any], ...]
    since: tuple[datetime, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoubtView:
    """One effect, whatever its state; `can_settle` says whether a verdict is asked for, and `again`
    is the command that runs its event again, where it is settled and the event is stored.
    """

    title: str
    command: str
    key: str
    effect: dict[str, Any]
    at: datetime
    can_settle: bool
    again: str | None
    is_revealed: bool


async def read(desk: Desk, asked: Asked) -> DoubtsView:
    """What is in doubt of what the filters select."""
    async with desk.doubts() as doubts:
        found, unreadable = await doubts.chosen(asked.filters, asked.now)
    latest = found[::-1]
    return DoubtsView(
        title="Effects in doubt",
        command=asked.command("doubt"),
        words=dict(asked.words),
        effects=tuple(doubt_document(one, reveal=False) for one in latest),
        since=tuple(one.record.at for one in latest),
        unreadable=tuple(unreadable),
    )


async def read_one(desk: Desk, asked: Asked) -> DoubtView:
    """Raises `GoneError` where nothing is kept of it (any more)."""
    async with desk.doubts() as doubts:
        found = await _of(doubts, asked.path["key"])
        settled = found.record.state == "settled"
        again = await doubts.replay_of(found.record) if settled else None
    return view(found, again, revealed=asked.reveal)


def view(found: Doubt, again: str | None, *, revealed: bool) -> DoubtView:
    """The page of an effect."""
    record = found.record
    return DoubtView(
        title=f"{record.name} of {record.handler}",
        command=f"yizhan doubt show {found.key}",
        key=found.key,
        effect=doubt_document(found, reveal=revealed),
        at=record.at,
        can_settle=record.state in {"in_doubt", "claimed"},
        again=again,
        is_revealed=revealed,
    )


async def settle(desk: Desk, asked: Asked) -> Done:
    """Say what became of it; refused while its body may still run."""
    note = checked_reason(
        asked.others.get("note", ""), name="note", write="say how you know, for whoever looks later"
    )
    happened = _VERDICTS.get(asked.others.get("verdict", ""))
    if happened is None:
        raise ConfigurationError("say whether it happened or not: find out which")
    async with desk.doubts() as doubts:
        found = await _of(doubts, asked.path["key"])
        by = asked.viewer.name
        await doubts.settle(found.key, happened=happened, by=by, note=note, now=asked.now)
    verdict = "it happened" if happened else "it did not happen, the next run does it"
    return Done(f"/doubt/{segment(found.key)}", f"Settled: {verdict}.")


async def _of(doubts: Doubts, key: str) -> Doubt:
    try:
        return await doubts.of(key)
    except ConfigurationError as error:
        raise GoneError(str(error)) from None


SCREEN: Final = Screen(
    name="doubts",
    path="/doubt",
    template="doubts.html",
    read=read,
    words=("since", "until", "type", "order", "handler", "limit"),
    menu="Doubt",
    key="u",
)
ONE: Final = Screen(
    name="doubt",
    path=f"/doubt/{{key:{TEXT}}}",
    template="doubt.html",
    read=read_one,
    act=Act(settle),
)
