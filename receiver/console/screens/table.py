"""Every screen of the console, in the order of the menu."""

from __future__ import annotations

from typing import Final

from receiver.console.screen import Screen
from receiver.console.screens import (
    audit,
    callback,
    contract,
    dead,
    dead_acts,
    doubts,
    event,
    events,
    handler,
    handlers,
    letter,
    now,
    order,
    orders,
    quarantine,
    quarantine_acts,
    replay,
    replay_plan,
    replays,
    reveal,
    rewind,
    search,
    sources,
)

SCREENS: Final[tuple[Screen, ...]] = (
    now.SCREEN,
    orders.SCREEN,
    order.SCREEN,
    dead.SCREEN,
    letter.SCREEN,
    dead_acts.RETRY,
    dead_acts.DROP,
    handlers.SCREEN,
    handler.SCREEN,
    rewind.SCREEN,
    events.SCREEN,
    event.SCREEN,
    callback.SCREEN,
    replays.SCREEN,
    replay.SCREEN,
    replay_plan.SCREEN,
    quarantine.SCREEN,
    quarantine_acts.REPARSE,
    quarantine_acts.DROP,
    doubts.SCREEN,
    doubts.ONE,
    sources.SCREEN,
    sources.ONE,
    audit.SCREEN,
    contract.SCREEN,
    contract.TYPE,
    search.SCREEN,
    reveal.SCREEN,
)
