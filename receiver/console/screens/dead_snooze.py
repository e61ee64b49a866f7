"""Snoozing a cause of dead letters: for how long, and why; or having it count again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from receiver.console.desk import Desk
from receiver.console.rendering import query
from receiver.console.screen import Act, Asked, Done, GoneError, Screen
from receiver.errors import ConfigurationError
from receiver.operations.acting import checked_reason
from receiver.operations.look.snoozes import Snooze, by_cause, snoozes, time_after
from receiver.operations.repair.letters import LetterGroup

_FOR: Final = "for"
_REASON: Final = "reason"
_WAKE: Final = "wake"
_TIMES: Final = ("1h", "8h", "1d", "3d", "7d")


@dataclass(frozen=True, slots=True)
class SnoozeView:
    """A cause of a handler, how many letters it has, and how it is snoozed; `times` are offered."""

    title: str
    command: str
    handler: str
    cause: str
    count: int
    reason: str | None
    snooze: Snooze | None
    times: tuple[str, ...]
    back: str


async def read(desk: Desk, asked: Asked) -> SnoozeView:
    """The form; raises `GoneError` where no letter has the cause."""
    group = await _group(desk, asked)
    held = await snoozes(desk.letters.reader, desk.subjects, asked.now)
    return view(asked, group, by_cause(held).get((group.handler, group.cause)))


def view(asked: Asked, group: LetterGroup, held: Snooze | None) -> SnoozeView:
    """The page of a cause."""
    assert group.cause is not None
    options = f"--handler {group.handler} --for 8h --reason TEXT"
    return SnoozeView(
        title=f"Snooze {group.error or 'a cause'} of {group.handler}",
        command=f"yizhan dead snooze {group.cause} {options}",
        handler=group.handler,
        cause=group.cause,
        count=group.count,
        reason=group.reason,
        snooze=held,
        times=_TIMES,
        back="/dead" + query(asked.words),
    )


async def act(desk: Desk, asked: Asked) -> Done:
    """Leave it out until a time, or have it count again."""
    trail = desk.trail(asked.viewer.name)
    group = await _group(desk, asked)
    assert group.cause is not None
    if _WAKE in asked.others:
        held = by_cause(await snoozes(desk.letters.reader, desk.subjects, asked.now))
        found = held.get((group.handler, group.cause))
        if found is None:
            raise GoneError("It is not snoozed (any more).")
        await desk.snoozing.wake([found], trail)
        return Done("/dead", f"{group.cause} of {group.handler} counts again.")
    reason = checked_reason(
        asked.others.get(_REASON, ""), write="say what is known of it, for whoever looks later"
    )
    until = time_after(asked.others.get(_FOR, ""), asked.now)
    cause = Snooze(group.handler, group.cause, asked.now, until, trail.by, reason)
    await desk.snoozing.snooze([cause], trail)
    return Done("/dead", f"{group.cause} of {group.handler} is snoozed for {asked.others[_FOR]}.")


async def _group(desk: Desk, asked: Asked) -> LetterGroup:
    if asked.filters.handler is None or asked.filters.cause is None:
        raise ConfigurationError("say which cause of which handler: choose it among dead letters")
    found = await desk.letters.groups(asked.filters)
    if len(found) != 1 or found[0].cause is None:
        raise GoneError("No dead letter has this cause (any more), or more than one cause fits.")
    return found[0]


SCREEN: Final = Screen(
    name="dead-snooze",
    path="/dead/snooze",
    template="dead_snooze.html",
    read=read,
    words=("handler", "cause"),
    act=Act(act),
)
