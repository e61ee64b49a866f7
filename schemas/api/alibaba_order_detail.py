"""One order of 1688 (docs/platform/calls-orders.md#1688-order-detail-and-list)."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from schemas.alibaba import AlibabaMessage, BaseInfo, OrderDetailMessage, ProductItem, TradeTerm
from schemas.api.reply import Entries, Flag, Number, Page, ReplyModel, Text, Texts
from schemas.statuses import (
    ClosedBy,
    OrderStatus,
    PaymentStatus,
    RefundStatus,
    closed_by,
    line_logistics_status,
    order_status,
    payment_status,
    refund_status,
)
from schemas.values import ClockTime, Count, Identifier, Word, Yuan


class OrderReceiver(AlibabaMessage):
    """To whom an order goes: personal data."""

    to_full_name: Text = None
    to_division_code: Word = None
    to_mobile: Text = None
    to_phone: Text = None
    to_post: Text = None
    to_town_code: Word = None
    to_area: Text = None


class OrderHead(BaseInfo):
    """The head of an order; the unit of `refund_payment` is not said, `pay_timeout` is seconds."""

    refund_status_for_as: Word = None
    coupon_fee: Yuan = None
    refund_payment: Number = None
    confirmed_time: ClockTime = None
    trade_type: Word = None
    trade_type_code: Word = None
    trade_type_desc: Text = None
    business_type: Word = None
    pay_timeout: Count = None
    pay_timeout_type: Word = None
    pay_channel_list: Texts = ()
    pay_channel_code_list: Texts = ()
    out_order_id: Identifier = None
    buyer_login_id: Identifier = None
    seller_login_id: Identifier = None
    receiver_info: OrderReceiver | None = None

    @property
    def our_status(self) -> OrderStatus:
        """Our word for `status`."""
        return order_status(self.status)

    @property
    def our_refund_status(self) -> RefundStatus:
        """Our word for `refund_status`."""
        return refund_status(self.refund_status)

    @property
    def closed_by(self) -> ClosedBy:
        """Who closed it, by `close_operate_type`, else by `close_reason`."""
        return closed_by(self.close_operate_type, self.close_reason)


class SkuInfo(AlibabaMessage):
    """One property of what was ordered."""

    name: Text = None
    value: Text = None


class OrderLine(ProductItem):
    """One line of an order."""

    sub_item_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("subItemIDString", "subItemID")
    )
    product_id: Identifier = Field(default=None, validation_alias="productID")
    sku_id: Identifier = Field(default=None, validation_alias="skuID")
    spec_id: Identifier = None
    name: Text = None
    quantity: Number = None
    unit: Text = None
    refund: Yuan = None
    refund_id: Identifier = None
    entry_discount: Number = None
    status_str: Text = None
    sku_infos: Entries[SkuInfo] = ()
    product_img_url: Texts = ()
    gmt_create: ClockTime = None
    gmt_modified: ClockTime = None
    gmt_completed: ClockTime = None
    gmt_pay_expire_time: ClockTime = None

    @property
    def our_status(self) -> OrderStatus:
        """Our word for `status`, else for `logistics_status`."""
        status = order_status(self.status)
        if status is OrderStatus.UNKNOWN:
            return line_logistics_status(self.logistics_status)
        return status

    @property
    def our_refund_status(self) -> RefundStatus:
        """Our word for `refund_status`."""
        return refund_status(self.refund_status)


class PaymentStage(TradeTerm):
    """One stage of paying; `pay_status` and `pay_way` are the codes of the page."""

    pay_time: ClockTime = None
    pay_way: Word = None
    pay_way_desc: Text = None
    phas_amount: Yuan = None
    phase: Identifier = None
    card_pay: Flag = None
    express_pay: Flag = None

    @property
    def our_pay_status(self) -> PaymentStatus:
        """Our word for `pay_status`."""
        return payment_status(self.pay_status)


class NativeLogistics(AlibabaMessage):
    """Where an order goes: personal data; its waybills."""

    address: Text = None
    area: Text = None
    area_code: Word = None
    city: Text = None
    contact_person: Text = None
    mobile: Text = None
    province: Text = None
    telephone: Text = None
    zip: Text = None
    town: Text = None
    town_code: Word = None
    logistics_items: Entries[AlibabaMessage] = ()


class AlibabaOrderDetail(ReplyModel, OrderDetailMessage):
    """The 1688 order detail (docs/platform/calls-orders.md#1688-order-detail-and-list)."""

    known_by = ("base_info", "product_items", "trade_terms", "native_logistics")
    identified_by = ("order_id",)

    base_info: OrderHead | None = None
    product_items: Entries[OrderLine] = ()
    trade_terms: Entries[PaymentStage] = ()
    native_logistics: NativeLogistics | None = None

    @property
    def order_id(self) -> str | None:
        """The order's 1688 id."""
        return (self.base_info.id_of_str or self.base_info.id) if self.base_info else None


class OrderPage(Page[AlibabaOrderDetail]):
    """One page of orders, without parcels and invoices."""
