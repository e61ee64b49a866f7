"""The Taobao calls.

Sources: docs/platform/calls-orders.md#taobao-order-list-and-detail,
docs/platform/logistics.md#taobao-tracking.
"""

from __future__ import annotations

from receiver.client.calls.registry import TAOBAO_LOGISTICS_DETAIL, TAOBAO_ORDER_DETAIL
from receiver.client.transport import PlatformTransport
from schemas.api import TaobaoLogisticsDetail, TaobaoOrderDetail


class TaobaoAPI:
    """The calls about Taobao orders. Each raises `APIError`."""

    def __init__(self, transport: PlatformTransport) -> None:
        self._transport = transport

    async def order_detail(self, order_id: str) -> TaobaoOrderDetail:
        """One order by its id."""
        reply = await self._transport.call(TAOBAO_ORDER_DETAIL, {"orderId": order_id})
        return reply.read(TaobaoOrderDetail)

    async def logistics_detail(self, sub_purchase_order_id: str) -> TaobaoLogisticsDetail:
        """The parcels of one order line by the line's `sub_purchase_order_id`."""
        reply = await self._transport.call(
            TAOBAO_LOGISTICS_DETAIL, {"subPurchaseOrderId": sub_purchase_order_id}
        )
        if reply.data is None or reply.data == []:  # a line without a parcel yet is no fault
            return TaobaoLogisticsDetail()
        return reply.read(TaobaoLogisticsDetail, known_by="pnmLogisticsDetails")
