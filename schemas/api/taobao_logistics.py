"""The parcels of a Taobao order line (docs/platform/logistics.md#taobao-tracking)."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from schemas.api.reply import Entries, ReplyModel, Text
from schemas.statuses import Progress, progress
from schemas.values import ClockTime, Count, Identifier, Word


class TaobaoLogisticsStep(ReplyModel):
    """One step of a parcel's way."""

    time: ClockTime = None
    status: Word = None
    status_desc: Text = None
    action: Word = None
    standard_desc: Text = Field(
        default=None,
        description="The platform spells it standerdDesc.",
        validation_alias=AliasChoices("standerdDesc", "standardDesc"),
    )
    province: Text = None
    city: Text = None
    district: Text = None
    facility_name: Text = None
    next_city: Text = None
    next_node_name: Text = None

    @property
    def progress(self) -> Progress:
        """Our word for `status`, else for `action`."""
        read = progress(self.status)
        return progress(self.action) if read is Progress.UNKNOWN else read


class TaobaoLogisticsPartner(ReplyModel):
    """A carrier of a parcel."""

    company: Text = None
    company_contact: Text = None
    company_image_url: Text = None


class TaobaoLogisticsGoods(ReplyModel):
    """What a parcel holds."""

    title: Text = None
    property: Text = None
    image_url: Text = None
    quantity: Count = None


class TaobaoReceiver(ReplyModel):
    """To whom a parcel goes: personal data."""

    name: Text = None
    phone: Text = None
    zip_code: Text = None
    province: Text = None
    city: Text = None
    district: Text = None
    address: Text = None


class TaobaoParcel(ReplyModel):
    """One parcel of a Taobao order line."""

    mail_no: Identifier = None
    traces: Entries[TaobaoLogisticsStep] = Field(
        default=(), validation_alias=AliasChoices("logisticsTraces")
    )
    partners: Entries[TaobaoLogisticsPartner] = Field(
        default=(), validation_alias=AliasChoices("logisticsPartner")
    )
    receiver: TaobaoReceiver | None = None
    goods: Entries[TaobaoLogisticsGoods] = Field(
        default=(), validation_alias=AliasChoices("logisticsGoods")
    )
    goods_number: Count = None
    logistics_status: Word = None
    logistics_desc: Text = None

    @property
    def progress(self) -> Progress:
        """Our word for `logistics_status`."""
        return progress(self.logistics_status)


class TaobaoLogisticsDetail(ReplyModel):
    """The parcels of a Taobao order line; none before any is known."""

    bare_list = "parcels"
    may_be_null = True

    purchase_order_outer_id: Identifier = None
    parcels: Entries[TaobaoParcel] = Field(
        default=(), validation_alias=AliasChoices("pnmLogisticsDetails")
    )
