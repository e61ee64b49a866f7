"""Ships an order by a warehouse's API once it is paid: once for each payment.

The warehouse is made up: `POST /shipments` takes an order and our key, and gives the parcel's
number; `GET /shipments/<key>` gives it again, or 404.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from yizhan import Context, Drop, Event, Router
from yizhan.events import PaymentSucceeded

router = Router()


class Warehouse(BaseModel):
    """`[handlers.ship_order.settings]`."""

    url: str = "http://127.0.0.1:9090"


@router.on(PaymentSucceeded, settings=Warehouse, timeout=timedelta(minutes=1))
async def ship_order(event: Event[PaymentSucceeded], ctx: Context) -> None:
    if event.order_id is None:
        raise Drop("no order to ship")
    warehouse: Warehouse = ctx.settings
    shipments = f"{warehouse.url}/shipments"

    async def is_shipped() -> bool:
        found = await ctx.http.get(f"{shipments}/{event.fact_id}")
        return found.status_code != 404 and bool(found.raise_for_status())

    async with ctx.once("ship", resolve=is_shipped) as effect:
        if effect.due:
            order = {"key": event.fact_id, "order": event.order_id}
            answer = await ctx.http.post(shipments, json=order)
            effect.result = answer.raise_for_status().json()["parcel"]
    ctx.log.info("shipped", parcel=effect.result)
