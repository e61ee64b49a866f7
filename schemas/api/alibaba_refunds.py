"""After sales of 1688 (docs/platform/after-sales.md#1688-after-sales-calls)."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, AliasChoices, Field

from schemas.api.reply import Entries, Flag, Ids, Object, ReplyModel, Text, Texts
from schemas.api.request import (
    UPSTREAM_LIMITS,
    Fen,
    Id,
    IntegerId,
    PlainText,
    one_of,
    request,
    short_request,
    sized,
)
from schemas.statuses import RefundStatus, refund_status
from schemas.values import ClockTime, Count, Identifier, Word
from schemas.values import Fen as FenMoney

_CREATE: Final = "upstream, docs/platform/after-sales.md#creating-a-1688-refund"
_RETURN: Final = "upstream, docs/platform/after-sales.md#return-shipment-to-a-1688-seller"
_VOUCHER: Final = "upstream, docs/platform/after-sales.md#1688-refund-voucher"
_MAX_JPEG_BYTES: Final = 1024 * 1024
_JPEG: Final = b"\xff\xd8\xff"

GoodsStatus = Annotated[
    PlainText,
    one_of(
        (
            *("refundWaitSellerSend", "refundWaitBuyerReceive", "refundBuyerReceived"),
            *("aftersaleBuyerNotReceived", "aftersaleBuyerReceived"),
        ),
        _CREATE,
    ),
]
"""Where the goods are."""


def _jpeg(image: bytes) -> bytes:
    if not image.startswith(_JPEG):
        raise ValueError(f"must be a JPEG ({_VOUCHER})")
    if len(image) >= _MAX_JPEG_BYTES:
        raise ValueError(f"must be below 1 MB ({_VOUCHER})")
    return image


@short_request
class RefundDetailRequest:
    """The case."""

    refund_id: Id


@request
class RefundReasonsRequest:
    """The lines of an order, and where their goods are."""

    order_id: IntegerId
    order_entry_ids: Annotated[list[IntegerId], sized(1, None, "line", _CREATE)]
    goods_status: GoodsStatus


@short_request
class VoucherRequest:
    """A photograph for a case, as the bytes of a JPEG below 1 MB."""

    image_data: Annotated[bytes, AfterValidator(_jpeg)]


@request
class LineCount:
    """How many pieces of a line are meant."""

    id: IntegerId
    count: Annotated[int, Field(ge=1)]


@request
class RefundCreateRequest:
    """What is asked back for which lines of an order, and why; amounts are fen, or `Money`.

    `dispute_request` is `refund`, or `returnRefund` once the goods were received. Before shipment
    `apply_payment` must be what was paid for the lines.
    """

    order_id: IntegerId
    order_entry_ids: list[IntegerId] | None = None
    dispute_request: Annotated[PlainText, one_of(("refund", "returnRefund"), _CREATE)]
    apply_payment: Fen
    apply_carriage: Fen
    apply_reason_id: IntegerId
    description: Annotated[PlainText, sized(2, 150, "characters", _CREATE)]
    goods_status: GoodsStatus
    vouchers: Annotated[list[PlainText] | None, sized(0, 5, "vouchers", UPSTREAM_LIMITS)] = None
    order_entry_count_list: list[LineCount] | None = None


@request
class ReturnShipmentRequest:
    """How the goods went back: the carrier's `company_no`, and its waybill number."""

    refund_id: Id
    logistics_company_no: Id
    freight_bill: Id
    description: Annotated[
        PlainText | None, sized(2, 200, "characters", _RETURN, may_be_empty=True)
    ] = None
    vouchers: Annotated[list[PlainText] | None, sized(0, 10, "vouchers", UPSTREAM_LIMITS)] = None


@short_request
class CarriersRequest:
    """Nothing is asked for but the list."""


class RefundReason(ReplyModel):
    """A reason; `no_refund_carriage` true: the carriage is not refunded."""

    id: Identifier = None
    name: Text = None
    need_voucher: Flag = None
    no_refund_carriage: Flag = None
    tip: Text = None


class RefundReasons(ReplyModel):
    """The reasons that are possible now (docs/platform/after-sales.md#1688-refund-reasons)."""

    bare_list = "reasons"

    reasons: Entries[RefundReason] = ()


class Voucher(ReplyModel):
    """Where an uploaded photograph is (docs/platform/after-sales.md#1688-refund-voucher)."""

    bare_value = "image_relative_url"

    image_domain: Text = None
    image_relative_url: Text = None

    @property
    def url(self) -> str | None:
        """What `vouchers` take; None where a part is missing."""
        if self.image_relative_url and self.image_relative_url.startswith(("http://", "https://")):
            return self.image_relative_url
        if not self.image_domain or not self.image_relative_url:
            return None
        return f"{self.image_domain.rstrip('/')}/{self.image_relative_url.lstrip('/')}"


class CreatedRefund(ReplyModel):
    """The case that was opened."""

    bare_value = "refund_id"

    refund_id: Identifier = None
    inner_reason_id: Identifier = None
    inner_reason: Text = None
    inner_post_fee: FenMoney = None
    is_voucher: Text = None

    def accomplished(self) -> bool:
        """Whether there is a case."""
        return self.refund_id is not None


class Carrier(ReplyModel):
    """A carrier (docs/platform/logistics.md#carriers-of-1688)."""

    id: Identifier = None
    company_name: Text = None
    company_no: Word = None
    company_phone: Text = None
    support_print: Flag = None
    spelling: Text = None


class RefundOperation(ReplyModel):
    """One thing that happened in a case."""

    id: Identifier = None
    operate_type_int: Count = None
    operate_remark: Text = None
    description: Text = Field(
        default=None,
        description="The platform spells it discription.",
        validation_alias=AliasChoices("discription", "description"),
    )
    before_operate_status: Word = None
    after_operate_status: Word = None
    operator_role_id: Word = None
    operator_login_id: Identifier = None
    gmt_create: ClockTime = None
    freight_bill: Identifier = None
    reject_reason: Text = None
    vouchers: Texts = ()
    logistics_company: Carrier | None = None


class AlibabaRefund(ReplyModel):
    """A case of 1688 (docs/platform/after-sales.md#1688-refund-detail)."""

    known_by = ("refund_id", "apply_payment", "dispute_request", "apply_reason", "goods_status")

    id: Identifier = None
    refund_id: Identifier = None
    order_id: Identifier = None
    status: Word = Field(default=None, validation_alias=AliasChoices("status", "refundStatus"))
    task_status: Word = None
    dispute_request: Word = None
    dispute_type: Word = None
    goods_status: Word = None
    apply_payment: FenMoney = None
    apply_carriage: FenMoney = None
    apply_expect: Word = None
    apply_reason: Text = None
    apply_reason_id: Identifier = None
    apply_sub_reason: Text = None
    apply_sub_reason_id: Identifier = None
    can_refund_payment: FenMoney = None
    refund_payment: FenMoney = None
    refund_carriage: FenMoney = None
    frozen_fund: FenMoney = None
    order_entry_id_list: Ids = ()
    order_entry_count_map: Object = None
    only_refund: Flag = Field(
        default=None, validation_alias=AliasChoices("onlyRefund", "isOnlyRefund")
    )
    refund_goods: Flag = Field(
        default=None, validation_alias=AliasChoices("refundGoods", "isRefundGoods")
    )
    goods_received: Flag = Field(
        default=None, validation_alias=AliasChoices("goodsReceived", "isGoodsReceived")
    )
    buyer_send_goods: Flag = Field(
        default=None, validation_alias=AliasChoices("buyerSendGoods", "isBuyerSendGoods")
    )
    crm_modify_refund: Flag = Field(
        default=None, validation_alias=AliasChoices("crmModifyRefund", "isCrmModifyRefund")
    )
    create_time: ClockTime = None
    update_time: ClockTime = None
    gmt_apply: ClockTime = None
    gmt_create: ClockTime = None
    gmt_modified: ClockTime = None
    gmt_completed: ClockTime = None
    gmt_freezed: ClockTime = None
    gmt_time_out: ClockTime = None
    reject_reason: Text = None
    reject_reason_id: Identifier = None
    reject_times: Count = None
    seller_receive_address: Text = None
    seller_mobile: Text = None
    seller_real_name: Text = None
    seller_tel: Text = None
    buyer_logistics_name: Text = None
    buyer_member_id: Identifier = None
    buyer_user_id: Identifier = None
    buyer_alipay_id: Identifier = None
    alipay_payment_id: Identifier = None
    freight_bill: Identifier = None
    product_name: Text = None
    trade_type_str: Text = None
    remark: Text = None
    ext_info: Object = None
    refund_operation_list: Entries[RefundOperation] = ()

    @property
    def our_status(self) -> RefundStatus:
        """Our word for `status`."""
        return refund_status(self.status)
