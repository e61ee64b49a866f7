"""Taobao messages as the platforms send them. Every field may be absent.

Unknown fields are kept, never refused. The platform's own feed and Taobao Global name the same
things differently; the aliases below accept both.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from schemas.values import (
    ClockTime,
    Count,
    Currency,
    Fen,
    FewParts,
    Identifier,
    Parts,
    Text,
    Word,
    no_id,
)


class TaobaoMessage(BaseModel):
    """The base of every Taobao message: what is not known is kept."""

    model_config = ConfigDict(frozen=True, extra="allow")
    _two_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Ids that have two names, of which the first is read where both have a value."""

    @model_validator(mode="before")
    @classmethod
    def _without_absent(cls, value: Any) -> Any:
        """Of two names for one thing, one with a value beats one that is null or a placeholder."""
        if not isinstance(value, dict):
            return value
        given = {name: part for name, part in value.items() if part is not None and part != ""}
        for first, second in cls._two_names:
            if second in given and no_id(given.get(first)):
                given.pop(first, None)
        return given


class Price(TaobaoMessage):
    """`purchaseOrderPriceDTO`: the new sums; amounts are fen."""

    currency: Currency = Field(default=None, alias="purchaseCurrency")
    total: Fen = Field(default=None, alias="purchaseTotalFee")
    goods: Fen = Field(default=None, alias="purchaseProductFee")
    shipping: Fen = Field(default=None, alias="purchaseShippingFee")


class LogisticOrder(TaobaoMessage):
    """One parcel of a line."""

    logistic_company_name: Text = None
    logistic_number: Identifier = None
    rts_time: ClockTime = None


class SubOrder(LogisticOrder):
    """One line of an order, `subOrders[]` or `sku_list[]`; amounts are fen.

    docs/platform/messages.md#line-of-a-taobao-order,
    docs/platform/messages.md#taobao-global-messages
    """

    _two_names = (("purchase_order_line_outer_id", "order_line_no"),)

    purchase_order_outer_id: Identifier = None
    purchase_order_line_outer_id: Identifier = Field(
        default=None,
        validation_alias=AliasChoices("purchase_order_line_outer_id", "order_line_no"),
    )
    sub_purchase_order_id: Identifier = None
    close_time_without_payment: ClockTime = None
    close_reason: Text = None
    status: Word = None
    error_code: Word = None
    error_message: Text = None
    detail_error_code: Word = None
    product_amount: Fen = None
    purchase_amount: Fen = None
    pay_amount: Fen = None
    domestic_post_fee: Fen = None
    purchase_currency: Currency = None
    quantity: Count = None
    sku_id: Identifier = None
    item_id: Identifier = None
    title: Text = None
    pay_time: ClockTime = None
    refund_id: Identifier = None
    refund_status: Word = None
    logistic_orders: FewParts[LogisticOrder] = ()


class LinePrice(TaobaoMessage):
    """One line of a price change (docs/platform/messages.md#taobao-global-messages, type 8)."""

    line_nos: FewParts[Identifier] = Field(default=(), alias="salesOrderLineIdList")
    line_id: Identifier = Field(default=None, alias="purchaseOrderLineId")
    price: Price | None = Field(default=None, alias="purchaseOrderItemPriceDTO")


class TaobaoOrderMessage(TaobaoMessage):
    """A price, status or refund message of the Taobao channel or of Taobao Global."""

    _two_names = (
        ("purchase_id", "purchaseOrderId"),
        ("outer_purchase_id", "orderNo"),
        ("seller_id", "salesSellerId"),
        ("refundId", "refund_id"),
    )

    sales_order_id: Identifier = Field(default=None, alias="salesOrderId")
    purchase_order_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("purchase_id", "purchaseOrderId")
    )
    order_id: Identifier = Field(default=None, alias="orderId")
    order_no: Identifier = Field(
        default=None, validation_alias=AliasChoices("outer_purchase_id", "orderNo")
    )
    seller_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("seller_id", "salesSellerId")
    )
    purchase_market: Word = Field(default=None, alias="purchaseMarket")
    status: Word = Field(default=None, validation_alias=AliasChoices("status", "orderStatus"))
    business_time: ClockTime = None
    price: Price | None = Field(default=None, alias="purchaseOrderPriceDTO")
    line_prices: Parts[LinePrice] = Field(
        default=(), alias="purchaseOrderLinePriceChangeMessageDTOList"
    )
    sub_orders: Parts[SubOrder] = Field(
        default=(), validation_alias=AliasChoices("subOrders", "sku_list")
    )
    refund_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("refundId", "refund_id")
    )
    refund_status: Word = Field(
        default=None, validation_alias=AliasChoices("refundStatus", "refund_status")
    )
    refund_fee: Fen = Field(default=None, validation_alias=AliasChoices("refundFee", "refund_fee"))
