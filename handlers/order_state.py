"""Keep the state of every order as events come in.

A handler that asks for the state of an order folds it itself, from the log: this one has it ready,
for those that ask seldom, for `yizhan state show` and for readers of the bucket.

It begins at the first event that is stored: the index by which `yizhan order` finds a waybill's
number, or a number of one's own, is to hold orders of which nothing comes any more. That happens
once, beside the other handlers.
"""

from __future__ import annotations

from typing import Any

from yizhan import Context, Event, Router
from yizhan.events import EVENT_MODELS

router = Router()


@router.on(*EVENT_MODELS, state=True, start="all", concurrency=64)
async def order_state(event: Event[Any], ctx: Context) -> None:
    """Do nothing more: `state=True` folds the event into its order's state before the run."""
