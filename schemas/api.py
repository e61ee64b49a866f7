"""The API's replies as the platform sends them (api.md 1 and 2). Performs no I/O.

A reply never breaks over a field: what is not known is kept as an extra, what has an unexpected
type reads as absent. One mechanism does it: the validator of `LenientReply`, the base of every
model here. Lists keep the platform's order (Taobao's samples begin with the newest step).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from schemas.alibaba import (
    AlibabaMessage,
    BaseInfo,
    OrderDetailMessage,
    ProductItem,
    TradeTerm,
)
from schemas.taobao import LinePrice, LogisticOrder, Price, SubOrder, TaobaoOrderMessage
from schemas.values import ClockTime, Identifier, Text, Word

RowT = TypeVar("RowT", bound=BaseModel)


def _rows(value: Any) -> Any:
    """The objects of a list; a lone object is a list of one, null is an empty list."""
    rows = value if isinstance(value, list | tuple) else (value,)
    return tuple(row for row in rows if isinstance(row, dict | BaseModel))


Rows = Annotated[tuple[RowT, ...], BeforeValidator(_rows)]
"""The objects of a list; whatever else stands in it is left out."""


class LenientReply(BaseModel):
    """The base of every reply: every field may be absent, unknown ones are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @field_validator("*", mode="wrap")
    @classmethod
    def _absent_if_unexpected(
        cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        try:
            return read(value)
        except ValidationError:
            return cls.model_fields[str(info.field_name)].default


class Envelope(LenientReply):
    """What every reply is wrapped in; `code` 200 is success."""

    request_id: Word = Field(default=None, alias="requestId")
    code: Word = None
    develop_id: Identifier = Field(default=None, alias="developId")
    msg: Text = None
    data: Any = None


class Verdict(LenientReply):
    """The second result that some calls carry inside `data`."""

    success: bool | None = None
    error_code: Word = Field(default=None, alias="errorCode")
    error_info: Text = Field(default=None, alias="errorInfo")
    error_msg: Text = Field(default=None, alias="errorMsg")
    error_message: Text = Field(default=None, alias="errorMessage")

    @property
    def reason(self) -> str | None:
        """Why it failed, under whichever of its three names."""
        return self.error_info or self.error_msg or self.error_message


class AlibabaReply(LenientReply, AlibabaMessage):
    """The base of the 1688 replies: camelCase names."""


class AlibabaBaseInfo(AlibabaReply, BaseInfo):
    """The head of a 1688 order detail; amounts are yuan but for `discount`, which is fen."""


class AlibabaProductItem(AlibabaReply, ProductItem):
    """One line of a 1688 order detail; amounts are yuan."""


class AlibabaTradeTerm(AlibabaReply, TradeTerm):
    """One stage of paying a 1688 order."""


class AlibabaOrderDetail(AlibabaReply, OrderDetailMessage):
    """The 1688 order detail (callbacks.md 1.5)."""

    base_info: AlibabaBaseInfo | None = None
    product_items: Rows[AlibabaProductItem] = ()
    trade_terms: Rows[AlibabaTradeTerm] = ()

    @property
    def order_id(self) -> str | None:
        """The order's 1688 id."""
        return (self.base_info.id_of_str or self.base_info.id) if self.base_info else None


class AlibabaLogisticsStep(AlibabaReply):
    """One step of a parcel's way, as text."""

    accept_time: ClockTime = None
    remark: Text = None


class AlibabaTraceNode(AlibabaReply):
    """One step of a parcel's way, with what was done and where."""

    accept_time: ClockTime = None
    action: Word = None
    area_code: Word = None
    facility_name: Text = None
    remark: Text = None


class AlibabaLogisticsTrace(AlibabaReply):
    """One parcel of a 1688 order and its way so far."""

    logistics_id: Identifier = None
    order_id: Identifier = None
    logistics_bill_no: Identifier = None
    logistics_company_name: Text = None
    logistics_steps: Rows[AlibabaLogisticsStep] = ()
    trace_node_list: Rows[AlibabaTraceNode] = ()


class TaobaoReply(LenientReply):
    """The base of the Taobao replies."""


class TaobaoLogisticsStep(TaobaoReply):
    """One step of a parcel's way."""

    time: ClockTime = None
    status: Word = None
    status_desc: Text = Field(default=None, alias="statusDesc")
    action: Word = None
    standard_desc: Text = Field(
        default=None,
        description="The platform spells it standerdDesc.",
        validation_alias=AliasChoices("standerdDesc", "standardDesc"),
    )
    province: Text = None
    city: Text = None
    district: Text = None
    facility_name: Text = Field(default=None, alias="facilityName")
    next_city: Text = Field(default=None, alias="nextCity")
    next_node_name: Text = Field(default=None, alias="nextNodeName")


class TaobaoLogisticsPartner(TaobaoReply):
    """A carrier of a parcel."""

    company: Text = None
    company_contact: Text = Field(default=None, alias="companyContact")
    company_image_url: Text = Field(default=None, alias="companyImageUrl")


class TaobaoLogisticsGoods(TaobaoReply):
    """What a parcel holds."""

    title: Text = None
    property: Text = None
    image_url: Text = Field(default=None, alias="imageUrl")
    quantity: int | None = None


class TaobaoParcel(TaobaoReply):
    """One parcel of a Taobao order line; the receiver's address stays an unread extra."""

    mail_no: Identifier = Field(default=None, alias="mailNo")
    traces: Rows[TaobaoLogisticsStep] = Field(default=(), alias="logisticsTraces")
    partners: Rows[TaobaoLogisticsPartner] = Field(default=(), alias="logisticsPartner")
    goods: Rows[TaobaoLogisticsGoods] = Field(default=(), alias="logisticsGoods")


class TaobaoLogisticsDetail(TaobaoReply):
    """The parcels of one line of a Taobao order."""

    purchase_order_outer_id: Identifier = Field(default=None, alias="purchaseOrderOuterId")
    parcels: Rows[TaobaoParcel] = Field(default=(), alias="pnmLogisticsDetails")


class TaobaoPrice(TaobaoReply, Price):
    """The sums of a Taobao order; amounts are fen."""


class TaobaoLogisticOrder(TaobaoReply, LogisticOrder):
    """One parcel of a Taobao order line, by name and number only."""


class TaobaoSubOrder(TaobaoReply, SubOrder):
    """One line of a Taobao order; amounts are fen."""

    logistic_orders: Rows[TaobaoLogisticOrder] = ()


class TaobaoLinePrice(TaobaoReply, LinePrice):
    """The price of one line of a Taobao order."""

    price: TaobaoPrice | None = Field(default=None, alias="purchaseOrderItemPriceDTO")


class TaobaoOrderDetail(TaobaoReply, TaobaoOrderMessage):
    """The Taobao order detail. Its fields are not documented: these are the callback's, which may
    be absent here; everything else is in `model_extra`."""

    price: TaobaoPrice | None = Field(default=None, alias="purchaseOrderPriceDTO")
    line_prices: Rows[TaobaoLinePrice] = Field(
        default=(), alias="purchaseOrderLinePriceChangeMessageDTOList"
    )
    sub_orders: Rows[TaobaoSubOrder] = Field(
        default=(), validation_alias=AliasChoices("subOrders", "sku_list")
    )
