"""After what changes an order, ask the platform for the whole of it and publish that."""

from __future__ import annotations

from datetime import timedelta

from yizhan import Context, Drop, Event, Router
from yizhan.api import order_snapshot
from yizhan.events import (
    AftersalesRefundUpdated,
    EventData,
    LogisticsPartlyShipped,
    LogisticsShipped,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderReceiptConfirmed,
    OrderStatusChanged,
    OrderSynced,
    PaymentBatchSettled,
    PaymentStageSucceeded,
    PaymentSucceeded,
)

router = Router(needs_api=True)


@router.on(
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    OrderClosed,
    OrderReceiptConfirmed,
    OrderCompleted,
    PaymentSucceeded,
    PaymentStageSucceeded,
    PaymentBatchSettled,
    LogisticsShipped,
    LogisticsPartlyShipped,
    AftersalesRefundUpdated,
    coalesce=timedelta(seconds=5),
)
async def order_sync(event: Event[EventData], ctx: Context) -> OrderSynced:
    """Publish `order.synced`, once for the events of an order that come close together.

    Its calls wait behind all others, so that a busy shop's own calls are not held up by them.
    """
    data = event.data
    if data.order_id is None or data.channel == "unknown":
        raise Drop("no order id or no channel, so there is nothing to ask for")
    return await order_snapshot(ctx.api.with_priority("sweep"), data.channel, data.order_id)
