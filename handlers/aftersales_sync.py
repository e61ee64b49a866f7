"""When a refund case moves, ask the platform for the whole of it and publish that."""

from __future__ import annotations

from yizhan import Context, Drop, Event, Router
from yizhan.api import refund_snapshot
from yizhan.events import AftersalesRefundUpdated, AftersalesSynced

router = Router(needs_api=True)


@router.on(AftersalesRefundUpdated)
async def aftersales_sync(event: Event[AftersalesRefundUpdated], ctx: Context) -> AftersalesSynced:
    """Publish `aftersales.synced`. Not coalesced: an order may have several cases."""
    data = event.data
    if data.refund_id is None or data.channel == "unknown":
        raise Drop("no refund id or no channel, so there is nothing to ask for")
    return await refund_snapshot(ctx.api, data.channel, data.order_id, data.refund_id)
