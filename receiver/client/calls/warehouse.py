"""The calls about the platform's own warehouses.

They are signed in the query; how is not known (docs/platform/api.md#warehouse-signature).
"""

from __future__ import annotations

from typing import Final

from receiver.client.call import Call, Group, one
from receiver.client.endpoint import Endpoint, documented, inferred
from schemas.api.request import FreeRequest
from schemas.api.warehouse import (
    FreightEstimateRequest,
    LogisticsUpdateRequest,
    PackageInboundRequest,
    WarehouseReply,
)

_ROWS: Final = "docs/platform/logistics.md#warehouse-calls"


class Warehouse(Group, prefix="warehouse"):
    """The calls about the platform's own warehouses. Each raises `APIError`."""

    estimate_freight = Call(
        Endpoint(
            "What it would cost to send one SKU abroad",
            {
                "v1": inferred("POST", "/open/pp/logistics/itemLogisticsPrice"),
                "v2": documented("POST", "/v2/open/pp/logistics/itemLogisticsPrice"),
            },
            source=_ROWS,
            row="freight estimate",
            reply="unknown",
            signed_in_query=True,
        ),
        FreightEstimateRequest,
        one(WarehouseReply),
    )
    preview_freight = Call(
        Endpoint(
            "What it would cost to send an order abroad; its parameters are not documented",
            {
                "v1": documented("POST", "/open/pp/logistics/orderRenderFreight"),
                "v2": documented("POST", "/v2/open/pp/logistics/orderRenderFreight"),
            },
            source=_ROWS,
            row="freight preview",
            reply="unknown",
            signed_in_query=True,
        ),
        FreeRequest,
        one(WarehouseReply),
    )
    book_freight = Call(
        Endpoint(
            "Have an order sent abroad; its parameters are not documented",
            {
                "v1": documented("POST", "/open/pp/logistics/orderBookingFreight"),
                "v2": inferred("POST", "/v2/open/pp/logistics/orderBookingFreight"),
            },
            source=_ROWS,
            row="book",
            reply="unknown",
            changes_state=True,
            signed_in_query=True,
        ),
        FreeRequest,
        one(WarehouseReply),
    )
    update_logistics = Call(
        Endpoint(
            "Say which waybills the goods of an order have inside China",
            {
                "v1": documented("POST", "/open/pp/logistics/updateLogisticInfo"),
                "v2": inferred("POST", "/v2/open/pp/logistics/updateLogisticInfo"),
                "ka": documented("POST", "/open/pp/logistics/updateLogisticInfo"),
            },
            source=_ROWS,
            row="update domestic logistics",
            reply="unknown",
            changes_state=True,
            signed_in_query=True,
        ),
        LogisticsUpdateRequest,
        one(WarehouseReply),
    )
    report_inbound = Call(
        Endpoint(
            "Report that a package came in (KA, marked as developing; perhaps a push to you)",
            {"ka": documented("POST", "/wms/package/inbound")},
            source=_ROWS,
            row="package inbound",
            reply="unknown",
            changes_state=True,
        ),
        PackageInboundRequest,
        one(WarehouseReply),
    )
