"""Orders of Taobao (docs/platform/calls-orders.md#taobao-orders-by-edition)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainSerializer

from schemas.api.request import (
    UPSTREAM_LIMITS,
    Fen,
    FenText,
    Id,
    IntegerId,
    PageNumber,
    PlainText,
    as_json,
    request,
    short_request,
    sized,
)


@request
class TaobaoAddress:
    """To whom an order goes; sent as JSON text, in snake case."""

    zip: PlainText | None = None
    country: PlainText | None = None
    state: PlainText | None = None
    city: PlainText | None = None
    district: PlainText | None = None
    address: PlainText
    phone: PlainText | None = None
    mobile_phone: Annotated[PlainText | None, Field(alias="mobile_phone")] = None
    name: PlainText


@request
class PurchaseLine:
    """One line; `item_id` is the product's `mp_id`, `sku_id` its `mp_sku_id`.

    `price` is for one piece, in fen or as `Money`. Everything is sent as text.
    """

    item_id: Id
    order_line_no: Id
    quantity: Annotated[int, Field(ge=1), PlainSerializer(str)]
    price: FenText
    currency: PlainText = "CNY"
    sku_id: Id


_Lines = Annotated[list[PurchaseLine], Field(min_length=1)]


@request
class TaobaoOrderCreateRequest:
    """What is ordered: `purchase_amount` in fen, or as `Money`.

    No parameter is known that would make it safe to repeat.
    """

    purchase_amount: Fen
    receiver: Annotated[TaobaoAddress, as_json(TaobaoAddress)]
    order_line_list: Annotated[_Lines, as_json(list[PurchaseLine])]
    order_source: PlainText | None = None
    seller_order_number: PlainText | None = None


@request
class RenderItem:
    """One line of what would be ordered."""

    item_id: Id
    quantity: Annotated[int, Field(ge=1)]
    sku_id: Id


@request
class TaobaoOrderRenderRequest:
    """What would be ordered; the names are the upstream's in camel case."""

    receiver_address: Annotated[TaobaoAddress, as_json(TaobaoAddress)]
    warehouse_address: PlainText | None = None
    render_item_list: Annotated[
        Annotated[list[RenderItem], Field(min_length=1)], as_json(list[RenderItem])
    ]
    need_supplychain_service: bool | None = None


@request
class TaobaoOrderListRequest:
    """Which orders; the names are the upstream's in camel case, times are epoch milliseconds."""

    status: PlainText | None = None
    sort_type: PlainText | None = None
    page_no: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    modify_time_start: int | None = None
    modify_time_end: int | None = None
    outer_purchase_id: PlainText | None = None
    purchase_ids: list[IntegerId] | None = None


@short_request
class TaobaoOrderDetailRequest:
    """One order."""

    order_id: Id


@request
class TaobaoCancelRequest:
    """The order, or some of its lines, and why; the names are the upstream's in camel case."""

    purchase_id: Id
    sub_purchase_order_id_list: list[Id] | None = None
    cancel_reason: PlainText
    cancel_remark: PlainText | None = None


@short_request
class TaobaoPayRequest:
    """The orders to pay; the name is the upstream's."""

    purchase_order_id_list: Annotated[
        list[IntegerId], sized(1, 10, "orders a call", UPSTREAM_LIMITS)
    ]


@request
class WarehouseInfoRequest:
    """Where the goods of an order go."""

    order_id: Id
    warehouse_name: PlainText
    warehouse_address: PlainText


@request
class ImLinkRequest:
    """The page contradicts itself: its table has the first four, its sample sends the last two."""

    login_name: PlainText | None = None
    password: PlainText | None = None
    page_name: PlainText | None = None
    page_param_map: Any = None
    source_type: PlainText | None = None
    biz_id: PlainText | None = None


@short_request
class TaobaoLogisticsRequest:
    """The line, by its `sub_purchase_order_id`."""

    sub_purchase_order_id: Id
