"""Orders of 1688: what is sent (docs/platform/calls-orders.md#1688-orders-by-edition).

What comes back is in `alibaba_order_replies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, PlainSerializer

from schemas.api.request import (
    UPSTREAM_LIMITS,
    Id,
    IntegerId,
    PageNumber,
    PlainText,
    request,
    short_request,
    sized,
)
from schemas.times import CHINA

_SITE: Final = {"webSite": "1688"}
_PAY_SOURCE: Final = "docs/platform/calls-orders.md#1688-payment"
Moment = Annotated[
    datetime,
    PlainSerializer(lambda time: time.astimezone(CHINA).strftime("%Y%m%d%H%M%S000%z")),
]
"""A time that is sent as `20180802211113000+0800`; one without a zone is the machine's."""


@request
class AddressParam:
    """Where the goods go (docs/platform/calls-orders.md#1688-address-and-cargo).

    `phone` holds digits only. The upstream takes `district_code` before the texts.
    """

    full_name: PlainText | None = None
    mobile: PlainText | None = None
    phone: PlainText | None = None
    post_code: PlainText | None = None
    city_text: PlainText | None = None
    province_text: PlainText | None = None
    area_text: PlainText | None = None
    town_text: PlainText | None = None
    address: PlainText | None = None
    district_code: PlainText | None = None


@request
class CargoParam:
    """One line of an order: `offer_map_id` in v2, `offer_id` in v1 and KA.

    `spec_id` is empty for a product without SKUs; `quantity` is a multiple of the product's
    `batch_number` and not below its `min_order_quantity`.
    """

    offer_id: IntegerId | None = None
    offer_map_id: Id | None = None
    spec_id: PlainText | None = None
    quantity: Annotated[int, Field(ge=1)]
    seller_open_id: PlainText | None = None
    product_no: PlainText | None = None
    container: PlainText | None = None

    def __post_init__(self) -> None:
        """Refuse a line without a product."""
        if not (self.offer_id or self.offer_map_id):
            raise ValueError(
                "offer_map_id (v2) or offer_id (v1) is required, "
                "docs/platform/calls-orders.md#1688-address-and-cargo"
            )


Cargo = Annotated[list[CargoParam], sized(1, 50, "SKUs an order", UPSTREAM_LIMITS)]


@request
class OrderPreviewRequest:
    """What would be ordered; `flow`, `ali_id` and `out_order_id` are of the KA edition."""

    address_param: AddressParam
    cargo_param_list: Cargo
    flow: PlainText | None = None
    ali_id: PlainText | None = None
    out_order_id: PlainText | None = None


@request
class BatchPreviewRequest:
    """As a preview, each line with its `seller_open_id`."""

    address_param: AddressParam
    cargo_param_list: Annotated[list[CargoParam], sized(1, None, "SKUs", UPSTREAM_LIMITS)]


@request
class OrderCreateRequest:
    """What is ordered from one seller; `flow` and `trade_type` come from a preview."""

    flow: PlainText
    message: PlainText | None = None
    shop_promotion_id: PlainText | None = None
    trade_type: PlainText | None = None
    address_param: AddressParam
    cargo_param_list: Cargo


@request
class BatchCreateRequest:
    """What is ordered from several sellers, each line with its `seller_open_id`."""

    flow: PlainText
    message: PlainText | None = None
    shop_promotion_id: PlainText | None = None
    trade_type: PlainText | None = None
    address_param: AddressParam
    cargo_param_list: Annotated[list[CargoParam], sized(1, None, "SKUs", UPSTREAM_LIMITS)]
    user_id: PlainText | None = None
    staff_name: PlainText | None = None
    platform_order: int | None = None
    transfer_account_imgs: Any = None
    transfer_account_remark: PlainText | None = None


@short_request
class OrderDetailRequest:
    """One order."""

    always_sent: ClassVar[Mapping[str, str]] = _SITE

    order_id: Id


@request
class OrderListRequest:
    """Which orders; the body is the upstream's, all of it is optional there."""

    page: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20
    order_status: PlainText | None = None
    refund_status: PlainText | None = None
    create_start_time: Moment | None = None
    create_end_time: Moment | None = None
    modify_start_time: Moment | None = None
    modify_end_time: Moment | None = None
    is_his: bool | None = None
    order_ids: list[IntegerId] | None = None
    out_order_id: PlainText | None = None
    seller_member_id: PlainText | None = None
    seller_login_id: PlainText | None = None
    product_name: PlainText | None = None
    trade_type: PlainText | None = None
    biz_types: list[PlainText] | None = None
    seller_rate_status: int | None = None
    need_buyer_address_and_phone: bool | None = None
    need_memo_info: bool | None = None


@short_request
class OrderCancelRequest:
    """Which order, and why: `buyerCancel`, `sellerGoodsLack` or `other` upstream.

    The list is not enforced: the platform's own sample sends free text
    (docs/platform/calls-orders.md#1688-order-cancellation).
    """

    always_sent: ClassVar[Mapping[str, str]] = _SITE

    order_id: IntegerId
    cancel_reason: PlainText = "buyerCancel"
    remark: PlainText | None = None


@short_request
class PaymentUrlRequest:
    """The order to pay."""

    order_id: Id


@short_request
class BatchPayRequest:
    """The orders to pay: the upstream takes 30 where credit or Kuajingbao pays, else 100."""

    order_ids: Annotated[list[Id], sized(1, 100, "orders a call", _PAY_SOURCE)]


@short_request
class ReceiptRequest:
    """The order and the lines that have arrived."""

    order_id: IntegerId
    order_entry_ids: Annotated[
        list[IntegerId],
        sized(1, None, "line", "upstream, docs/platform/calls-orders.md#1688-receipt"),
    ]


@short_request
class OrderLogisticsRequest:
    """The order, or one parcel of it; the upstream requires `webSite`."""

    always_sent: ClassVar[Mapping[str, str]] = _SITE

    order_id: Id
    logistics_id: Id | None = None
