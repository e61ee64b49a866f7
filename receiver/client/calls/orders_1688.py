"""The 1688 calls.

Sources: docs/platform/calls-orders.md#1688-order-detail-and-list,
docs/platform/logistics.md#1688-tracking.
"""

from __future__ import annotations

from typing import Final

from receiver.client.calls.registry import ORDER_DETAIL, ORDER_LOGISTICS
from receiver.client.transport import PlatformTransport
from schemas.api import AlibabaLogisticsTrace, AlibabaOrderDetail

_TRACE_FIELDS: Final = ("logisticsId", "logisticsBillNo", "logisticsSteps", "traceNodeList")


class AlibabaAPI:
    """The calls about 1688 orders. Each raises `APIError`."""

    def __init__(self, transport: PlatformTransport) -> None:
        self._transport = transport

    async def order_detail(self, order_id: str) -> AlibabaOrderDetail:
        """One order by its 1688 id."""
        reply = await self._transport.call(ORDER_DETAIL, {"webSite": "1688", "orderId": order_id})
        return reply.read(AlibabaOrderDetail, known_by="baseInfo")

    async def order_logistics(
        self, order_id: str, logistics_id: str | None = None
    ) -> list[AlibabaLogisticsTrace]:
        """The parcels of an order and their way so far, or one of them; empty before any is known.

        The reply's form is the upstream's documentation, so a list, an object that holds one and
        a lone parcel are all read.
        """
        reply = await self._transport.call(
            ORDER_LOGISTICS, {"orderId": order_id, "logisticsId": logistics_id}
        )
        return reply.read_rows(AlibabaLogisticsTrace, known_by=_TRACE_FIELDS)
