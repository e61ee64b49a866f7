"""The state of an order in lines, for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from receiver.projection.state import OrderState
from schemas.parts import Amounts

_SHOWN: Final = 10
"""So many of the last events are shown."""


def state_text(state: OrderState) -> Iterator[str]:
    """What is known of an order; no personal data is in it."""
    yield f"{state.channel} order {state.order_id}"
    paid = "paid" if state.is_paid else "not paid"
    yield f"  status    {_word(state.status, state.platform_status)}, {_events(state)}, {paid}"
    amounts = [
        f"{name} {money.amount} {money.currency}"
        for name in Amounts.model_fields
        if (money := getattr(state.amounts, name)) is not None
    ]
    if amounts:
        yield f"  amounts   {', '.join(amounts)}"
    for name, time in (("created", state.created_at), ("paid", state.paid_at)):
        if time:
            yield f"  {name:<9} {_local(time)}"
    for number, parcel in state.parcels.items():
        since = f" since {_local(parcel.moved.time)}" if parcel.moved else ""
        now = f", now {parcel.replaced_by}" if parcel.replaced_by else ""
        yield f"  parcel    {number}: {parcel.progress}{since}{now}"
    for refund_id, case in state.refunds.items():
        money = f", {case.amount.amount} {case.amount.currency}" if case.amount else ""
        yield f"  refund    {refund_id}: {_word(case.status, case.platform_status)}{money}"
    last = [f"#{past.seq} {past.arrival}" for past in state.history[-_SHOWN:]]
    yield f"  history   {', '.join(last)}"


def _events(state: OrderState) -> str:
    return "1 event" if state.events == 1 else f"{state.events:,} events"


def _word(ours: str, theirs: str | None) -> str:
    return f"{ours} ({theirs})" if theirs else str(ours)


def _local(time: datetime) -> str:
    return time.astimezone().isoformat(timespec="seconds")
