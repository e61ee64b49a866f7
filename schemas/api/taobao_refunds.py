"""After sales of Taobao, "reverse orders" (docs/platform/after-sales.md#taobao-after-sales-calls).

Codes of `refund_type` and `goods_status`: docs/platform/statuses.md#taobao-refund-codes.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, Field, model_validator

from schemas.api.reply import Entries, Flag, Number, Page, ReplyModel, Text, Texts
from schemas.api.request import (
    Fen,
    Id,
    PageNumber,
    PlainText,
    numbered,
    request,
    short_request,
    sized,
)
from schemas.statuses import RefundStatus, refund_status
from schemas.values import ClockTime, Currency, Identifier, Word
from schemas.values import Fen as FenMoney

_CODES: Final = "docs/platform/statuses.md#taobao-refund-codes"
_IMAGES: Final = "a public client, docs/platform/after-sales.md#taobao-refund-calls-in-detail"
RefundType = Annotated[int, numbered(1, 2, _CODES)]
"""1 money only, 2 goods and money."""
TaobaoGoodsStatus = Annotated[int, numbered(1, 6, _CODES)]
"""1 not shipped, 2 shipped, 3 not received, 4 received, 5 sent back, 6 receipt confirmed."""


@request
class TaobaoRefundListRequest:
    """Which page; more parameters are not known."""

    page_no: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20


@short_request
class TaobaoRefundRequest:
    """The case."""

    refund_id: Id


@request
class TaobaoRefundRenderRequest:
    """The line of an order, and what is wanted for it."""

    sub_order_id: Id
    refund_type: RefundType
    goods_status: TaobaoGoodsStatus


@request
class TaobaoRefundSubmitRequest:
    """What is asked back for a line, and why; `refund_fee` in fen, or as `Money`.

    The names are a public client's; the line is named `subOrderId`, as the render names it.
    """

    sub_order_id: Id
    refund_type: RefundType
    goods_status: TaobaoGoodsStatus
    reason_id: int
    refund_fee: Fen
    refund_desc: PlainText | None = None
    refund_images: Annotated[list[PlainText] | None, sized(0, 3, "images", _IMAGES)] = None


@request
class TaobaoRefundModifyRequest:
    """What a case asks now; the page is not known: the case, and the names of a submit."""

    refund_id: Id
    refund_type: RefundType | None = None
    goods_status: TaobaoGoodsStatus | None = None
    reason_id: int | None = None
    refund_fee: Fen | None = None
    refund_desc: PlainText | None = None
    refund_images: Annotated[list[PlainText] | None, sized(0, 3, "images", _IMAGES)] = None


@request
class TaobaoRefundMessageRequest:
    """What to say in a case; `refund_images` is one text in the page's sample."""

    refund_id: Id
    refund_message: PlainText
    refund_images: PlainText | list[PlainText] | None = None


@request
class TaobaoRefundMessagesRequest:
    """The case; more parameters are not known."""

    refund_id: Id
    page_no: PageNumber = 1
    page_size: Annotated[int, Field(ge=1)] = 20


@request
class TaobaoReturnShipmentRequest:
    """How the goods went back: a carrier's code of the render, and its waybill number."""

    refund_id: Id
    logistics_company_code: PlainText
    logistics_no: Id
    buyer_phone: PlainText | None = None
    return_goods_desc: PlainText | None = None


class TaobaoRefundReason(ReplyModel):
    """A reason that is possible."""

    reason_id: Identifier = None
    reason_desc: Text = None
    tips: Text = None


class TaobaoRefundOrder(ReplyModel):
    """A case as it stands."""

    known_by = ("refund_id", "refund_status", "refund_fee", "refund_type")

    refund_id: Identifier = None
    refund_status: Word = None
    refund_type: Word = None
    goods_status: Word = None
    refund_fee: FenMoney = None
    reason_id: Identifier = None
    reason_desc: Text = None
    refund_desc: Text = None
    fee_tips: Text = None
    can_edit_fee: Flag = None
    pay_order_id: Identifier = None
    remaining_time: Word = None
    timeout_type: Word = None
    timeout_date: ClockTime = None
    seller_refuse_reason: Text = None
    seller_refuse_reason_describe: Text = None

    @property
    def our_status(self) -> RefundStatus:
        """Our word for `refund_status`."""
        return refund_status(self.refund_status)


class MaxRefundFee(ReplyModel):
    """How much can be asked back."""

    min_refund_fee: FenMoney = None
    refund_fee: FenMoney = None
    fee_tips: Text = None
    can_edit_refund_fee: Flag = None


class RefundTemplate(ReplyModel):
    """What a submit can ask."""

    refund_reasons: Entries[TaobaoRefundReason] = ()
    goods_status_list: Texts = ()
    refund_order: TaobaoRefundOrder | None = None
    max_refund_fee: MaxRefundFee | None = None


class TaobaoRefundRender(ReplyModel):
    """What a submit can ask (docs/platform/after-sales.md#taobao-refund-calls-in-detail)."""

    refund_order_template: RefundTemplate | None = None
    distributor_id: Identifier = None
    currency: Currency = None
    sale_flag: Flag = None


class ReturnCarrier(ReplyModel):
    """A carrier for what goes back."""

    code: Word = Field(
        default=None,
        description="One page spells it logisticCompanyCode.",
        validation_alias=AliasChoices("logisticsCompanyCode", "logisticCompanyCode"),
    )
    name: Text = Field(
        default=None, validation_alias=AliasChoices("logisticsCompanyName", "logisticCompanyName")
    )


class ReturnAddress(ReplyModel):
    """Where goods go back to: personal data. As text it is in `detail_address` alone."""

    receiver: Text = None
    phone: Text = None
    detail_address: Text = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        plain = isinstance(value, str) and value.strip() not in {"", "null"}
        return {"detail_address": value} if plain else value


class ReturnLogistics(ReplyModel):
    """How goods go back."""

    buyer_phone: Text = None
    logistics_company: ReturnCarrier | None = None
    logistics_no: Identifier = None
    receiver_address: ReturnAddress | None = None
    return_goods_desc: Text = None
    seller_agree_return_describe: Text = None


class RefundedLine(ReplyModel):
    """The line that a case is about; amounts are fen, but `price`, which two pages type apart."""

    purchase_order_line_id: Identifier = None
    create_time: ClockTime = None
    currency: Currency = None
    item_image_url: Text = None
    item_title: Text = None
    price: Number = None
    total_price: FenMoney = None
    post_fee: FenMoney = None
    product_fee: FenMoney = None
    hongbao_deduction_amount: FenMoney = None


class RefundAggregate(ReplyModel):
    """A case with its line and the way back."""

    logistics: ReturnLogistics | None = None
    refund_order: TaobaoRefundOrder | None = None
    purchase_order_line: RefundedLine | None = None


class TaobaoRefund(ReplyModel):
    """A case (docs/platform/after-sales.md#taobao-refund-detail); `case` is its heart."""

    bare_object = "refund_order"
    identified_by = ("refund_id",)

    cancel_success: Flag = None
    currency: Currency = None
    distributor_id: Identifier = None
    refund_order_aggregate: RefundAggregate | None = None
    refund_order: TaobaoRefundOrder | None = None
    logistics: ReturnLogistics | None = None
    purchase_order_line: RefundedLine | None = None

    @property
    def case(self) -> TaobaoRefundOrder | None:
        """The case itself, in or beside its aggregate."""
        held = self.refund_order_aggregate
        return (held.refund_order if held else None) or self.refund_order

    @property
    def refund_id(self) -> str | None:
        """The case's id."""
        return self.case.refund_id if self.case else None


class TaobaoRefundPage(Page[TaobaoRefund]):
    """One page of cases; the page's shape is not known."""


class RefundMessage(ReplyModel):
    """One message in a case; its fields are not known: see `model_extra`."""


class RefundMessagePage(Page[RefundMessage]):
    """One page of messages."""


class SubmittedRefund(ReplyModel):
    """The case that was opened or changed; the reply is not known."""

    bare_value = "refund_id"
    may_be_null = True

    refund_id: Identifier = None
    success: Flag = None


class ReturnRender(ReplyModel):
    """The carriers that goods can go back with; the reply is not known."""

    bare_list = "carriers"

    carriers: Entries[ReturnCarrier] = Field(
        default=(),
        validation_alias=AliasChoices("logisticsCompanyList", "logisticsCompanies", "companies"),
    )
