"""Planning a replay: which events, to which handlers; nothing is run."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from receiver.console.desk import Desk
from receiver.console.screen import Act, Asked, Done, Screen
from receiver.errors import ConfigurationError
from receiver.operations.replay_targets import HANDLER_RATE, check_selects
from receiver.operations.selecting import OF_LETTERS, past_place
from receiver.replay.plan import Wish
from receiver.worker.replaying.record import HANDLER

_WORDS: Final = (*OF_LETTERS, "limit")
_TO: Final = "to"
_SEQ: Final = "seq"
_RATE: Final = "rate"
_TICK: Final = "to:"
"""Begins the name of a box that is ticked for a handler."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """The form of a plan: a `name` for it, the filters (`words`), a single event (`seq`), the rate,
    and each handler that can be a target, with whether it is chosen.
    """

    title: str
    command: str
    name: str
    words: dict[str, str]
    taken: tuple[str, ...]
    seq: str
    rate: str
    targets: dict[str, bool]


async def read(desk: Desk, asked: Asked) -> PlanView:
    """The form, filled by the query: filters, `seq`, `rate`, and `to`, handlers by comma."""
    return view(asked, desk.replays.targets)


def view(asked: Asked, targets: Sequence[str]) -> PlanView:
    """The page of what can be planned."""
    chosen = [to.removeprefix(HANDLER) for to in asked.others.get(_TO, "").split(",") if to]
    others = [f"--seq={asked.others[_SEQ]}"] if _SEQ in asked.others else []
    to = [part for name in chosen or ["NAME"] for part in ("--to", f"{HANDLER}{name}")]
    return PlanView(
        title="Plan a replay",
        command=asked.command("replay", "plan", "PLAN", *others, *to),
        name=f"plan-{asked.now:%m%d-%H%M%S}-{secrets.token_hex(1)}",
        words=dict(asked.words),
        taken=_WORDS,
        seq=asked.others.get(_SEQ, ""),
        rate=asked.others.get(_RATE, f"{HANDLER_RATE:g}"),
        targets={name: name in chosen or len(targets) == 1 for name in targets},
    )


async def plan(desk: Desk, asked: Asked) -> Done:
    """Freeze the selection, foresee its effects, and keep both for a day."""
    chosen = [name.removeprefix(_TICK) for name in asked.others if name.startswith(_TICK)]
    if not chosen:
        raise ConfigurationError("to: no handler is chosen: tick one or more")
    sequences = _sequences(asked)
    check_selects(asked.filters, sequences)
    wish = Wish(
        targets=[f"{HANDLER}{name}" for name in chosen],
        filters=asked.filters,
        sequences=sequences,
        rate=_rate(asked.others.get(_RATE, "")),
    )
    name = asked.others.get("name", "")
    record = await desk.replays.plan(name, wish, desk.trail(asked.viewer.name))
    events = "1 event is" if record.count == 1 else f"{record.count:,} events are"
    return Done(f"/replays/{record.name}", f"{events} selected; nothing is run yet.")


def _sequences(asked: Asked) -> list[int]:
    if not (text := asked.others.get(_SEQ, "")):
        return []
    found = past_place(_SEQ, f"#{text.removeprefix('#')}", asked.now)
    assert isinstance(found, int)
    return [found]


def _rate(text: str) -> float:
    """Events a second, 0 without limit; raises `ConfigurationError`."""
    try:
        rate = float(text) if text else HANDLER_RATE
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1e6:
        raise ConfigurationError(
            f"rate {shlex.quote(text)}: write events a second, such as 50; 0 is no limit"
        )
    return rate


SCREEN: Final = Screen(
    name="replay-plan",
    path="/replay/plan",
    template="replay_plan.html",
    read=read,
    words=_WORDS,
    others=(_TO, _SEQ, _RATE),
    act=Act(plan),
)
