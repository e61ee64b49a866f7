"""Having a handler run stored events again: how many, confirmed, then done."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from receiver.console.desk import Desk
from receiver.console.rendering import segment
from receiver.console.screen import Act, Asked, ChangedError, Done, Screen
from receiver.errors import ConfigurationError
from receiver.operations.handlers import Rewind, rewind_text
from receiver.operations.selecting import past_place

_TO: Final = "to"
_COUNT: Final = "count"


@dataclass(frozen=True, slots=True)
class RewindView:
    """Where a handler would go back to: `to` as it was asked for, `seq` and how many events run
    again (`again`) once that is known; `refused` says why it cannot be.
    """

    title: str
    command: str
    handler: str
    to: str
    seq: int | None
    again: int | None
    text: str
    refused: str


async def read(desk: Desk, asked: Asked) -> RewindView:
    """The plan of going back to `to`, where that is given."""
    to = asked.others.get(_TO, "")
    if not to:
        return view(asked, None, "")
    try:
        plan = await desk.handlers.plan_rewind(asked.path["name"], past_place(_TO, to, asked.now))
    except ConfigurationError as error:
        return view(asked, None, str(error))
    return view(asked, plan, "")


def view(asked: Asked, plan: Rewind | None, refused: str) -> RewindView:
    """The page that asks."""
    name, to = asked.path["name"], asked.others.get(_TO, "")
    at = f"#{plan.seq}" if plan else to or "2h"
    return RewindView(
        title=f"Rewind {name}",
        command=shlex.join(["yizhan", "handlers", "rewind", name, "--to", at]),
        handler=name,
        to=to,
        seq=plan.seq if plan else None,
        again=plan.again if plan else None,
        text=rewind_text(name, plan) if plan else "",
        refused=refused,
    )


async def rewind(desk: Desk, asked: Asked) -> Done:
    """Go back to what was confirmed; raises `ChangedError` where another number would run again."""
    name, confirmed = asked.path["name"], asked.others.get(_COUNT, "")
    to = past_place(_TO, asked.others.get(_TO, ""), asked.now)
    plan = await desk.handlers.plan_rewind(name, to)
    if str(plan.again) != confirmed:
        raise ChangedError(
            f"{confirmed or 'no number of'} events were confirmed, and {plan.again:,} would run "
            f"again now: nothing was done. Pause {name} first for a number that stands."
        )
    await desk.handlers.rewind(name, plan, by=asked.viewer.name, now=asked.now)
    return Done(
        f"/handlers/{segment(name)}", f"{name} is back at #{plan.seq}: {plan.again:,} run again."
    )


SCREEN: Final = Screen(
    name="rewind",
    path="/handlers/{name}/rewind",
    template="rewind.html",
    read=read,
    others=(_TO,),
    act=Act(rewind),
)
