"""The state of an order as its stored events say it, up to a time. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from receiver.bus.codec import decode_event
from receiver.bus.message import StoredMessage
from receiver.errors import DecodingError
from receiver.projection.orders import fold
from receiver.projection.state import Arrival, OrderState, ParcelState, RefundState, empty


class FoldedOrder:
    """Folds the events of an order as they are read, a state for each channel."""

    def __init__(self, order_id: str) -> None:
        self.states: dict[str, OrderState] = {}
        self.arrivals: dict[int, Arrival] = {}
        self._order_id = order_id

    def add(self, stored: StoredMessage) -> None:
        """One more event; one that this version cannot read changes nothing."""
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError:
            return
        channel = event.data.channel
        before = self.states.get(channel) or empty(channel, self._order_id)
        self.states[channel], arrival = fold(before, event, stored.stream_seq)
        self.arrivals[stored.stream_seq] = arrival


def kept_state(value: bytes | None) -> OrderState | None:
    """The state that handlers keep; None where there is none that can be read."""
    try:
        return OrderState.from_json(value) if value else None
    except ValidationError:
        return None


def state_document(folded: OrderState, kept: OrderState | None) -> dict[str, Any]:
    """What is known of an order in the end. `kept_seq` is up to which event handlers keep its
    state, null where they keep none. Where theirs holds events that the stream has dropped, it is
    theirs that is shown.
    """
    state = kept if kept is not None and kept.events > folded.events else folded
    return {
        "channel": state.channel,
        "status": str(state.status),
        "platform_status": state.platform_status,
        "created_at": state.created_at.isoformat() if state.created_at else None,
        "is_paid": state.is_paid,
        "paid_at": state.paid_at.isoformat() if state.paid_at else None,
        "amounts": state.amounts.model_dump(mode="json"),
        "parcels": [_parcel(key, parcel) for key, parcel in state.parcels.items()],
        "refunds": [_refund(key, refund) for key, refund in state.refunds.items()],
        "events": state.events,
        "stream_seq": state.seq,
        "kept_seq": kept.seq if kept else None,
    }


def _parcel(key: str, parcel: ParcelState) -> Mapping[str, Any]:
    return {
        "key": key,
        "carrier": parcel.carrier,
        "waybill_no": parcel.waybill_no,
        "progress": str(parcel.progress),
        "replaced_by": parcel.replaced_by,
    }


def _refund(key: str, refund: RefundState) -> Mapping[str, Any]:
    return {
        "refund_id": key,
        "status": str(refund.status),
        "platform_status": refund.platform_status,
        "amount": refund.amount.model_dump(mode="json") if refund.amount else None,
    }
