"""One handler: how far it is, what it does now, what waits, what failed; paused and resumed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone, state_words, tone_of
from receiver.console.rendering import segment
from receiver.console.screen import Act, Asked, Done, GoneError, Screen
from receiver.console.screens.handlers import owner_of, reports
from receiver.errors import ConfigurationError
from receiver.operations.acting import checked_reason
from receiver.operations.handler_report import options_text
from receiver.operations.look.documents import moment
from receiver.operations.look.handler_work import RecentRuns, Waiting, recent_runs, waiting


@dataclass(frozen=True, slots=True)
class HandlerView:
    """A handler. `report` is its document of `yizhan handlers --json`; `policy` are its options in
    words, empty where its code is not loaded here.
    """

    title: str
    command: str
    handler: str
    tone: Tone
    text: str
    owner: str
    policy: str
    oldest_at: datetime | None
    report: dict[str, Any]
    waiting: Waiting
    runs: RecentRuns


async def read(desk: Desk, asked: Asked) -> HandlerView:
    """Raises `GoneError` for a name that no handler has."""
    name = asked.path["name"]
    found = {one["handler"]: one for one in await reports(desk, asked.now)}
    if name not in found:
        known = ", ".join(found) or "there is none"
        raise GoneError(f"There is no handler {name} (any more); known here: {known}.")
    waits, runs = await waiting(desk.archive, name), await recent_runs(desk.archive, name)
    return view(found[name], waits, runs)


def view(report: Mapping[str, Any], waits: Waiting, runs: RecentRuns) -> HandlerView:
    """The page of a handler's document, and of what it did and will do."""
    return HandlerView(
        title=f"Handler {report['handler']}",
        command="yizhan handlers",
        handler=report["handler"],
        tone=tone_of(report),
        text=", ".join(state_words(report)),
        owner=owner_of(report),
        policy=options_text(report["options"]) if report["options"] else "",
        oldest_at=moment((report["oldest"] or {}).get("time")),
        report=dict(report),
        waiting=waits,
        runs=runs,
    )


async def act(desk: Desk, asked: Asked) -> Done:
    """Pause it for a reason, or let it go on; as `yizhan handlers pause|resume`."""
    name, verb = asked.path["name"], asked.others.get("act", "")
    page, by = f"/handlers/{segment(name)}", asked.viewer.name
    if verb == "pause":
        reason = checked_reason(
            asked.others.get("reason", ""), write="say why, for whoever finds it paused"
        )
        await desk.handlers.pause(name, reason=reason, by=by, now=asked.now)
        return Done(page, f"{name} is paused; what it runs now, it finishes.")
    if verb == "resume":
        was_paused = await desk.handlers.resume(name, by=by)
        return Done(page, f"{name} goes on." if was_paused else f"{name} was not paused.")
    raise ConfigurationError(f"act {shlex.quote(verb)}: is none: write pause or resume")


SCREEN: Final = Screen(
    name="handler", path="/handlers/{name}", template="handler.html", read=read, act=Act(act)
)
