"""What previews, creates and payments of 1688 orders give.

docs/platform/calls-orders.md#1688-order-preview,
docs/platform/calls-orders.md#1688-order-creation, docs/platform/calls-orders.md#1688-payment
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import AliasChoices, BaseModel, Field

from schemas.api.reply import Entries, Flag, Ids, ReplyModel, Text, Texts
from schemas.values import Count, Fen, Identifier, Word, Yuan


class PreviewPromotion(ReplyModel):
    """A promotion that an order could use."""

    promotion_id: Identifier = None
    text: Text = None
    desc: Text = None
    selected: Flag = None
    free_postage: Flag = None
    discount_fee: Fen = None


class PreviewCargo(ReplyModel):
    """One line of a preview: `amount` and `final_unit_price` are yuan, beside sums in fen."""

    amount: Yuan = None
    final_unit_price: Yuan = None
    spec_id: Identifier = None
    sku_id: Identifier = None
    offer_id: Identifier = None
    open_offer_id: Identifier = None
    message: Text = None
    result_code: Word = None
    cargo_promotion_list: Entries[PreviewPromotion] = ()
    total_fund_usage_amount: Fen = None
    total_post_fund_usage_amount: Fen = None


class KaPreviewCargo(ReplyModel):
    """One line of a preview in the KA edition: both amounts are fen."""

    amount: Fen = None
    final_unit_price: Fen = None
    spec_id: Identifier = None
    sku_id: Identifier = None
    offer_id: Identifier = None
    open_offer_id: Identifier = None
    message: Text = None


class TradeModel(ReplyModel):
    """A way to trade; `trade_type` is what a create takes."""

    name: Text = None
    description: Text = None
    trade_type: Word = None
    trade_way: Word = None
    op_support: Flag = None


class PayChannel(ReplyModel):
    """A way to pay, and up to how much."""

    name: Word = None
    amount_limit: Fen = None


class OfficialSolution(ReplyModel):
    """A shipping solution of the platform."""

    solution_code: Word = None
    solution_name: Text = None
    total_cost: Fen = None


class PreviewedOrder(ReplyModel):
    """One order that a create would make. `flow_flag` is its `flow`, an entry of
    `trade_mode_name_list` its `trade_type`; without an entry it cannot be ordered by API."""

    status: Flag = None
    result_code: Word = None
    message: Text = None
    flow_flag: Word = None
    trade_mode_name_list: Texts = ()
    sum_payment: Fen = None
    sum_total_payment: Fen = None
    sum_carriage: Fen = None
    sum_payment_no_carriage: Fen = None
    discount_fee: Fen = None
    additional_fee: Fen = None
    total_fund_usage_amount: Fen = None
    total_post_fund_usage_amount: Fen = None
    tao_sample_single_promotion: Flag = None
    cargo_list: Entries[PreviewCargo] = ()
    order_item_to_list: Entries[KaPreviewCargo] = Field(
        default=(), validation_alias=AliasChoices("orderItemTOList")
    )
    shop_promotion_list: Entries[PreviewPromotion] = ()
    trade_model_list: Entries[TradeModel] = ()
    pay_channel_infos: Entries[PayChannel] = ()
    order_group: Text = None
    can_use_official_solution: Flag = None
    official_solution_model_list: Entries[OfficialSolution] = ()


class OrderPreview(ReplyModel):
    """What a create would make (docs/platform/calls-orders.md#1688-order-preview)."""

    bare_list = "orders"

    orders: Entries[PreviewedOrder] = Field(
        default=(),
        description="The platform spells it orderPreviewResuslt.",
        validation_alias=AliasChoices("orderPreviewResuslt", "orderPreviewResult"),
    )
    success: Flag = None
    error_code: Word = None
    error_msg: Text = None
    post_fee_by_desc_offer_list: Ids = ()
    consign_offer_list: Ids = ()
    unsupported_cross_border_pay_offer_list: Ids = ()


class AccountPeriod(ReplyModel):
    """When an order on account is due."""

    tap_type: Count = None
    tap_date: Count = None
    tap_overdue: Count = None


class FailedOffer(ReplyModel):
    """A line that was not ordered, and why."""

    offer_id: Identifier = None
    spec_id: Identifier = None
    error_code: Word = None
    error_message: Text = None


class CreatedOrder(ReplyModel):
    """One order of several that one call made, or did not make."""

    order_id: Identifier = None
    order_amount: Fen = Field(
        default=None,
        description="The platform spells it orderAmmount.",
        validation_alias=AliasChoices("orderAmmount", "orderAmount"),
    )
    post_fee: Fen = None
    success: Flag = None
    result_code: Word = None
    message: Text = None
    pay_channel: Word = None


class OrderCreation(ReplyModel):
    """What a create made (docs/platform/calls-orders.md#1688-order-creation).

    One order has its id in `order_id`; of several each has an entry in `order_list`, where the
    three sums are absent. `order_ids` are those that exist. The official samples show `success`
    false beside a valid id, so that an order that exists is never taken for a refusal.
    """

    bare_list = "order_list"

    order_id: Identifier = None
    total_success_amount: Fen = None
    post_fee: Fen = None
    success: Flag = None
    code: Word = None
    message: Text = None
    account_period: AccountPeriod | None = None
    failed_offer_list: Entries[FailedOffer] = ()
    order_list: Entries[CreatedOrder] = ()

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The orders that exist now, each once."""
        found = (self.order_id, *(order.order_id for order in self.order_list))
        return tuple(dict.fromkeys(order_id for order_id in found if order_id))

    def accomplished(self) -> bool:
        """Whether an order was made."""
        return bool(self.order_ids)

    def refused(self) -> Sequence[BaseModel]:
        """The lines and the orders that were not made."""
        orders = [order for order in self.order_list if order.success is False]
        return [*self.failed_offer_list, *orders]


class PaymentUrl(ReplyModel):
    """Where to pay, or that it is paid (docs/platform/calls-orders.md#1688-payment).

    `protocol_pay_success` may be false although the money was taken: read the order before another
    attempt. `cant_pay_order_list` are orders refused for credit or risk.
    """

    bare_value = "pay_url"

    order_id: Identifier = None
    protocol_pay_success: Flag = None
    pay_url: Text = None
    cant_pay_order_list: Ids = ()

    def accomplished(self) -> bool:
        """Whether there is a way to pay, or it is paid."""
        return bool(self.pay_url or self.protocol_pay_success)

    def refused(self) -> Sequence[str]:
        """The orders that cannot be paid."""
        return self.cant_pay_order_list


class BatchPayment(ReplyModel):
    """What became of a payment of several orders; it may have succeeded in part."""

    bare_value = "pay_url"

    pay_url: Text = None
    success: Flag = None
    error_code: Word = None
    error_msg: Text = Field(
        default=None,
        description="The platform spells it erroMsg.",
        validation_alias=AliasChoices("erroMsg", "errorMsg", "errorMessage"),
    )
    pay_failure_order_list: Ids = Field(
        default=(), validation_alias=AliasChoices("payFailureOrderList", "cantPayOrderList")
    )

    def accomplished(self) -> bool:
        """Whether there is a way to pay some of them."""
        return bool(self.pay_url)

    def refused(self) -> Sequence[str]:
        """The orders that cannot be paid."""
        return self.pay_failure_order_list
