"""Orders of Taobao: what comes back (docs/platform/calls-orders.md#taobao-orders-by-edition)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import AliasChoices, BaseModel, Field

from schemas.api.reply import Entries, Flag, Ids, Page, ReplyModel, Text
from schemas.statuses import OrderStatus, RefundStatus, order_status, refund_status
from schemas.taobao import LogisticOrder, SubOrder, TaobaoOrderMessage
from schemas.values import ClockTime, Count, Currency, Fen, Identifier, Word


class PurchasedLine(ReplyModel):
    """One line that was ordered; tracking and refunds take `sub_purchase_order_id`."""

    item_id: Identifier = None
    sku_id: Identifier = None
    order_line_no: Identifier = None
    quantity: Count = None
    estimate_amount: Fen = None
    estimate_currency: Currency = None
    sub_purchase_order_id: Identifier = None
    supplier_nick: Text = None


class Purchase(ReplyModel):
    """One order that was made."""

    purchase_id: Identifier = None
    supplier_nick: Text = None
    estimate_amount: Fen = None
    estimate_currency: Currency = None
    source_market: Word = None
    order_line_list: Entries[PurchasedLine] = ()


class TaobaoOrderCreation(ReplyModel):
    """What a create made (docs/platform/calls-orders.md#taobao-order-creation)."""

    bare_list = "order_list"

    success: Flag = None
    error_code: Word = None
    error_message: Text = None
    payment_url: Text = None
    outer_purchase_id: Identifier = None
    order_list: Entries[Purchase] = ()

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The orders that exist now."""
        return tuple(order.purchase_id for order in self.order_list if order.purchase_id)

    def accomplished(self) -> bool:
        """Whether an order was made."""
        return bool(self.order_ids)


class Amount(ReplyModel):
    """An amount in fen of its currency."""

    amount: Fen = None
    currency: Currency = None


class RenderedOrder(ReplyModel):
    """What would be ordered of one seller."""

    seller_id: Identifier = None
    nick: Text = None
    item_price_infos: Entries[ReplyModel] = ()
    mainland_shipping_fee: Amount | None = None
    order_fee: Amount | None = None


class UnavailableSku(ReplyModel):
    """What cannot be ordered, and why."""

    item_id: Identifier = None
    sku_id: Identifier = None
    reason: Text = None
    error_code: Word = None
    error_msg: Text = None


class TaobaoOrderRender(ReplyModel):
    """What would be ordered (docs/platform/calls-orders.md#taobao-cancellation-payment-render)."""

    bare_list = "render_item_list"

    render_item_list: Entries[RenderedOrder] = ()
    unavailable_sku_list: Entries[UnavailableSku] = ()
    total_real_pay_price: Amount | None = None

    def accomplished(self) -> bool:
        """Whether anything can be ordered."""
        return bool(self.render_item_list)

    def refused(self) -> Sequence[BaseModel]:
        """What cannot be ordered."""
        return self.unavailable_sku_list


class OrderLineDetail(SubOrder):
    """One line of an order; the names of docs/platform/messages.md#line-of-a-taobao-order."""

    logistic_orders: Entries[LogisticOrder] = ()

    @property
    def our_status(self) -> OrderStatus:
        """Our word for `status`."""
        return order_status(self.status)

    @property
    def our_refund_status(self) -> RefundStatus:
        """Our word for `refund_status`."""
        return refund_status(self.refund_status)


class TaobaoOrderDetail(ReplyModel, TaobaoOrderMessage):
    """An order. The fields of the platform's reply are not documented: these are the callback's and
    the upstream's (docs/platform/calls-orders.md#taobao-order-list-and-detail)."""

    identified_by = ("purchase_order_id", "sales_order_id", "order_id")

    sub_orders: Entries[OrderLineDetail] = Field(
        default=(),
        validation_alias=AliasChoices(
            *("subOrders", "sub_purchase_orders", "subPurchaseOrders", "sku_list")
        ),
    )
    order_source: Text = None
    seller_order_number: Identifier = None
    source_market: Word = None
    purchase_amount: Fen = None
    product_amount: Fen = None
    domestic_post_fee: Fen = None
    hongbao_deduction_amount: Fen = None
    pay_amount: Fen = None
    purchase_currency: Currency = None
    pay_currency: Currency = None
    created_time: ClockTime = None
    modify_time: ClockTime = None
    pay_time: ClockTime = None
    next_close_time_without_payment: ClockTime = None
    supplier_nick: Text = None
    distributor_nick: Text = None
    sub_user_id: Identifier = None

    def accomplished(self) -> bool:
        """Whether there is an order: it may have an error code of its own."""
        return bool(self.purchase_order_id or self.sub_orders)

    @property
    def our_status(self) -> OrderStatus:
        """Our word for `status`."""
        return order_status(self.status)

    @property
    def our_refund_status(self) -> RefundStatus:
        """Our word for `refund_status`."""
        return refund_status(self.refund_status)


class TaobaoOrderPage(Page[TaobaoOrderDetail]):
    """One page of orders."""


class PayFailure(ReplyModel):
    """An order that will not be paid, and why."""

    order_id: Identifier = Field(
        default=None, validation_alias=AliasChoices("gspOrderId", "orderId", "purchaseOrderId")
    )
    error_code: Word = None
    error_message: Text = None


class TaobaoPayment(ReplyModel):
    """What becomes of a payment: it is asynchronous, and may be accepted for some orders only.

    docs/platform/calls-orders.md#taobao-cancellation-payment-render
    """

    will_pay: Ids = Field(
        default=(), validation_alias=AliasChoices("will_pay_purchase_order_ids", "willPayOrderIds")
    )
    will_not_pay: Ids = Field(
        default=(), validation_alias=AliasChoices("pay_failure_purchase_order_ids")
    )
    failures: Entries[PayFailure] = Field(
        default=(), validation_alias=AliasChoices("pay_failed_results")
    )

    def accomplished(self) -> bool:
        """Whether any order will be paid."""
        return bool(self.will_pay)

    def refused(self) -> Sequence[BaseModel | str]:
        """The orders that will not be paid."""
        return [*self.failures, *self.will_not_pay]


class ImLink(ReplyModel):
    """Where to chat with a seller."""

    bare_value = "url"

    url: Text = Field(default=None, validation_alias=AliasChoices("url", "link", "pageLink"))
