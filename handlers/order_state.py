"""Keep the state of every order as events come in.

A handler that asks for the state of an order folds it itself, from the log: this one has it ready,
for those that ask seldom, for `yizhan state show` and for readers of the bucket. It begins with what
comes, as every handler does: an event brings all of its order's earlier ones, and the whole log at
once would keep a server busy for states that nothing may ask for.
"""

from __future__ import annotations

from typing import Any

from yizhan import Context, Event, Router
from yizhan.events import EVENT_MODELS

router = Router()


@router.on(*EVENT_MODELS, state=True, concurrency=64)
async def order_state(event: Event[Any], ctx: Context) -> None:
    """Do nothing more: `state=True` folds the event into its order's state before the run."""
