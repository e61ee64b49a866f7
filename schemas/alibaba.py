"""1688 messages as the platforms send them. Any field may be absent.

Unknown fields are kept, never refused. One model serves an order message of every account: the KA
body, the topic's own body and its refund part share their names.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.values import ClockTime, Fen, Identifier, Parts, Text, Word, Yuan


class AlibabaMessage(BaseModel):
    """The base of every 1688 message: camelCase names, what is not known is kept."""

    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel)


class OrderMessage(AlibabaMessage):
    """An order message; amounts are fen.

    docs/platform/messages.md#messages-of-a-ka-account,
    docs/platform/messages.md#order-body-of-a-topic
    """

    order_id: Identifier = None
    order_no: Identifier = None
    order_status: Word = None
    current_status: Word = None
    pay_status: Word = None
    total_amount: Fen = None
    shipping_fee: Fen = None
    product_amount: Fen = None
    refund_amount: Fen = None
    refund_status: Word = None
    close_reason: Text = None
    tb_create_time: ClockTime = None
    pay_time: ClockTime = None
    msg_send_time: ClockTime = None
    buyer_member_id: Identifier = None
    seller_member_id: Identifier = None
    refund_id: Identifier = None
    refund_action: Word = None
    operator: Word = None


class BaseInfo(AlibabaMessage):
    """The head of a 1688 order detail; amounts are yuan but for `discount`, which is fen."""

    id_of_str: Identifier = None
    id: Identifier = None
    status: Word = None
    refund_status: Word = None
    refund_id: Identifier = None
    total_amount: Yuan = None
    shipping_fee: Yuan = None
    sum_product_payment: Yuan = None
    refund: Yuan = None
    discount: Fen = None
    close_reason: Text = None
    close_operate_type: Word = None
    create_time: ClockTime = None
    pay_time: ClockTime = None
    modify_time: ClockTime = None
    all_delivered_time: ClockTime = None
    receiving_time: ClockTime = None
    complete_time: ClockTime = None


class ProductItem(AlibabaMessage):
    """One line of a 1688 order detail; amounts are yuan."""

    sub_item_id: Identifier = Field(default=None, validation_alias="subItemIDString")
    item_amount: Yuan = None
    price: Yuan = None
    status: Word = None
    refund_status: Word = None
    logistics_status: Word = None


class TradeTerm(AlibabaMessage):
    """One stage of paying a 1688 order."""

    pay_status: Word = None


class OrderDetailMessage(AlibabaMessage):
    """The whole 1688 order detail, as the general account's price change carries it.

    docs/platform/messages.md#1688-order-detail
    """

    base_info: BaseInfo | None = None
    product_items: Parts[ProductItem] = ()
    trade_terms: Parts[TradeTerm] = ()
    order_biz_info: Any = None
    native_logistics: Any = None
    guarantees_terms: Any = None
    ext_attributes: Any = None
    order_rate_info: Any = None
    order_invoice_info: Any = None
    customs: Any = None
    overseas_extra_address: Any = None


class LogisticsOrderItem(AlibabaMessage):
    """Which order and line a parcel holds."""

    order_id: Identifier = None
    order_entry_id: Identifier = None


class TraceMessage(AlibabaMessage):
    """A parcel moved on (docs/platform/logistics.md#trace-message)."""

    logistics_id: Identifier = None
    cp_code: Word = None
    mail_no: Identifier = None
    status_changed: Word = None
    change_time: ClockTime = None
    order_logs_items: Parts[LogisticsOrderItem] = ()
    order_id: Identifier = None


class MailNoChangeMessage(AlibabaMessage):
    """Another waybill number (docs/platform/logistics.md#waybill-change-message)."""

    logistics_id: Identifier = None
    old_cp_code: Word = None
    new_cp_code: Word = None
    old_mail_no: Identifier = None
    new_mail_no: Identifier = None
    event_time: ClockTime = None
    order_logs_items: Parts[LogisticsOrderItem] = ()
    order_id: Identifier = None


class PackageMessage(AlibabaMessage):
    """A package was created or changed (docs/platform/logistics.md#package-change-message)."""

    package_id: Identifier = None
    buyer_user_id: Identifier = None
    stage_type: Word = None
    mail_no: Identifier = None
    carrier_partner_code: Word = None
    transport_status: Word = None
    warehouse_status: Word = None
    action_time: ClockTime = None
    trade_order_ids: Parts[Identifier] = ()


class BatchPayItem(AlibabaMessage):
    """One order's result in a batch payment."""

    order_id: Identifier = None
    status: Word = None


class BatchPayMessage(AlibabaMessage):
    """The outcome of a batch payment (docs/platform/messages.md#batch-payment)."""

    batch_pay: Parts[BatchPayItem] = ()
