"""The platform's own warehouses (docs/platform/logistics.md#warehouse-calls).

No reply of these calls is documented: read `model_extra`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.api.reply import ReplyModel
from schemas.api.request import Id, PlainText, request


@request
class FreightReceiver:
    """To whom a parcel would go."""

    name: PlainText
    email: PlainText | None = None
    phone: PlainText | None = None
    mobile_phone: PlainText | None = None
    address: PlainText
    tax_id: PlainText | None = None
    country: PlainText
    city: PlainText
    zip: PlainText
    state: PlainText


@request
class FreightEstimateRequest:
    """What would be sent where; `price` is text, whose unit the page does not say."""

    item_id: Id
    sku_id: Id
    receiver_address: FreightReceiver
    quantity: Annotated[int, Field(ge=1)]
    currency: PlainText
    price: PlainText


@request
class LogisticLineItem:
    """What a parcel holds."""

    item_id: Id | None = None
    sku_id: Id | None = None
    quantity: int | None = None
    title: PlainText | None = None
    image_url: PlainText | None = None


@request
class DomesticLogistic:
    """One waybill inside China; `rts_time` is epoch seconds as text."""

    logistic_number: Annotated[Id | None, Field(alias="logisticNumer")] = None
    logistic_company_name: PlainText | None = None
    rts_time: PlainText | None = None


@request
class LogisticInfo:
    """One parcel and its waybills; the platform spells the number `logisticNumer`."""

    line_item: LogisticLineItem | None = None
    logistic_number: Annotated[Id | None, Field(alias="logisticNumer")] = None
    domestic_logistic_info: list[DomesticLogistic] | None = None


@request
class LogisticsUpdateRequest:
    """Which waybills the goods of an order have inside China; every field may be left out."""

    order_id: Id | None = None
    tmall_order_id: Id | None = None
    logistic_infos: list[LogisticInfo] | None = None


@request
class QualityInspection:
    """What an inspection found; the units are not said."""

    status: PlainText | None = None
    weight: float | None = None
    length: float | None = None
    width: float | None = None
    height: float | None = None
    failed_remark: Annotated[PlainText | None, Field(alias="failed_remark")] = None
    images: list[PlainText] | None = None


@request
class PackageInboundRequest:
    """A package that came in, in snake case; the page may describe a push to you instead."""

    out_order_id: Annotated[Id, Field(alias="out_order_id")]
    alibaba_order_id: Annotated[Id | None, Field(alias="alibaba_order_id")] = None
    logistics_tracking_number: Annotated[Id, Field(alias="logistics_tracking_number")]
    quality_inspection_info: Annotated[
        QualityInspection | None, Field(alias="quality_inspection_info")
    ] = None


class WarehouseReply(ReplyModel):
    """Whatever the platform answered; a bare value is `value`."""

    bare_value = "value"
    may_be_null = True

    value: object = None
