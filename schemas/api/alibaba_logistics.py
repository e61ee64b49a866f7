"""The parcels of a 1688 order (docs/platform/logistics.md#1688-tracking)."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from schemas.alibaba import AlibabaMessage
from schemas.api.reply import Entries, ReplyModel, Text
from schemas.statuses import Progress, progress
from schemas.values import ClockTime, Identifier, Word


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

    @property
    def progress(self) -> Progress:
        """Our word for `action`."""
        return progress(self.action)


class AlibabaLogisticsTrace(ReplyModel, AlibabaMessage):
    """One parcel of a 1688 order and its way so far (docs/platform/logistics.md#1688-tracking)."""

    known_by = ("logistics_id", "logistics_bill_no", "logistics_steps", "trace_node_list")
    identified_by = ("logistics_id", "logistics_bill_no")

    logistics_id: Identifier = None
    order_id: Identifier = None
    logistics_bill_no: Identifier = None
    logistics_company_name: Text = None
    logistics_steps: Entries[AlibabaLogisticsStep] = ()
    trace_node_list: Entries[AlibabaTraceNode] = ()


class TraceException(ReplyModel):
    """What went wrong with a parcel across the border."""

    exception_code: Word = None
    trace_node_code: Word = None
    exception_desc: Text = None


class CrossTraceNode(ReplyModel):
    """A named point of the way across the border."""

    trace_node_name: Text = None
    trace_node_code: Word = None


class CrossPackageTrace(ReplyModel):
    """One step across the border."""

    buyer_user_id: Identifier = None
    carrier_partner_code: Word = None
    out_trace_node_code: Word = None
    op_code: Word = None
    node_action_time: ClockTime = None
    node_detail: Text = None
    stage_type: Word = None
    trace_node: CrossTraceNode | None = None
    trace_exception: TraceException | None = None


class CrossPackage(ReplyModel):
    """A parcel across the border."""

    cross_mail_no: Identifier = None
    order_id: Identifier = None
    traces: Entries[CrossPackageTrace] = Field(
        default=(), validation_alias=AliasChoices("crossPackageTraceDTOList")
    )


class OrderLogistics(ReplyModel):
    """The parcels of an order; none before any is known.

    docs/platform/logistics.md#1688-tracking
    """

    bare_list = "traces"
    may_be_null = True

    traces: Entries[AlibabaLogisticsTrace] = Field(
        default=(), validation_alias=AliasChoices("logisticsTrace", "traces")
    )
    cross_packages: Entries[CrossPackage] = Field(
        default=(), validation_alias=AliasChoices("crossPackageFulfillmentDTO")
    )

    def accomplished(self) -> bool:
        """Whether any parcel is known."""
        return bool(self.traces or self.cross_packages)
