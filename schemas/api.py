"""The API's replies as the platform sends them. Performs no I/O.

The details of an order have the models of the callbacks. Every field may be absent and what is not
known is kept; read them with `receiver.messages.reading`, by which a field of an unexpected type is
absent. Lists keep the platform's order (Taobao's samples begin with the newest step).
"""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from schemas.alibaba import AlibabaMessage, OrderDetailMessage
from schemas.taobao import TaobaoOrderMessage
from schemas.values import ClockTime, Count, Identifier, Parts, Text, Word


class Reply(BaseModel):
    """The base of the replies: every field may be absent, unknown ones are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Envelope(Reply):
    """What wraps every reply; `code` 200 is success (docs/platform/api.md#reply-envelope)."""

    request_id: Word = Field(default=None, alias="requestId")
    code: Word = None
    develop_id: Identifier = Field(default=None, alias="developId")
    msg: Text = None
    data: Any = None


class Verdict(Reply):
    """The second result of some calls (docs/platform/api.md#verdict-within-data)."""

    success: bool | None = None
    error_code: Word = Field(default=None, alias="errorCode")
    error_info: Text = Field(default=None, alias="errorInfo")
    error_msg: Text = Field(default=None, alias="errorMsg")
    error_message: Text = Field(default=None, alias="errorMessage")

    @property
    def reason(self) -> str | None:
        """Why it failed, under whichever of its three names."""
        return self.error_info or self.error_msg or self.error_message


class AlibabaOrderDetail(OrderDetailMessage):
    """The 1688 order detail (docs/platform/calls-orders.md#1688-order-detail-and-list)."""

    @property
    def order_id(self) -> str | None:
        """The order's 1688 id."""
        return (self.base_info.id_of_str or self.base_info.id) if self.base_info else None


class AlibabaLogisticsStep(AlibabaMessage):
    """One step of a parcel's way, as text."""

    accept_time: ClockTime = None
    remark: Text = None


class AlibabaTraceNode(AlibabaMessage):
    """One step of a parcel's way, with what was done and where."""

    accept_time: ClockTime = None
    action: Word = None
    area_code: Word = None
    facility_name: Text = None
    remark: Text = None


class AlibabaLogisticsTrace(AlibabaMessage):
    """One parcel of a 1688 order and its way so far (docs/platform/logistics.md#1688-tracking)."""

    logistics_id: Identifier = None
    order_id: Identifier = None
    logistics_bill_no: Identifier = None
    logistics_company_name: Text = None
    logistics_steps: Parts[AlibabaLogisticsStep] = ()
    trace_node_list: Parts[AlibabaTraceNode] = ()


class TaobaoLogisticsStep(Reply):
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


class TaobaoLogisticsPartner(Reply):
    """A carrier of a parcel."""

    company: Text = None
    company_contact: Text = Field(default=None, alias="companyContact")
    company_image_url: Text = Field(default=None, alias="companyImageUrl")


class TaobaoLogisticsGoods(Reply):
    """What a parcel holds."""

    title: Text = None
    property: Text = None
    image_url: Text = Field(default=None, alias="imageUrl")
    quantity: Count = None


class TaobaoParcel(Reply):
    """One parcel of a Taobao order line; the receiver's address stays an unread extra."""

    mail_no: Identifier = Field(default=None, alias="mailNo")
    traces: Parts[TaobaoLogisticsStep] = Field(default=(), alias="logisticsTraces")
    partners: Parts[TaobaoLogisticsPartner] = Field(default=(), alias="logisticsPartner")
    goods: Parts[TaobaoLogisticsGoods] = Field(default=(), alias="logisticsGoods")


class TaobaoLogisticsDetail(Reply):
    """The parcels of a Taobao order line (docs/platform/logistics.md#taobao-tracking)."""

    purchase_order_outer_id: Identifier = Field(default=None, alias="purchaseOrderOuterId")
    parcels: Parts[TaobaoParcel] = Field(default=(), alias="pnmLogisticsDetails")


class TaobaoOrderDetail(TaobaoOrderMessage):
    """The Taobao order detail. Its fields are not documented: these are the callback's, which may
    be absent here; everything else is in `model_extra`."""
