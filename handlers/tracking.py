"""When goods have left, ask the platform for their tracking and publish it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, PositiveFloat

from yizhan import Context, Drop, Event, Retry, Router
from yizhan.api import (
    AlibabaLogisticsStep,
    AlibabaLogisticsTrace,
    AlibabaTraceNode,
    PlatformAPI,
    TaobaoLogisticsStep,
    TaobaoParcel,
)
from yizhan.events import (
    LogisticsPartlyShipped,
    LogisticsShipped,
    LogisticsTracked,
    OrderStatus,
    OrderStatusChanged,
    Parcel,
    Progress,
    Trace,
    TraceStep,
    progress,
)

Shipment = LogisticsShipped | LogisticsPartlyShipped | OrderStatusChanged

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

router = Router(needs_api=True)


class TrackingSettings(BaseModel):
    """`[handlers.fetch_tracking.settings]`.

    `ask_again_s` is when to ask again, in seconds, while the carrier has no progress; then this
    shipment is let go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask_again_s: tuple[PositiveFloat, ...] = (60.0, 300.0, 900.0, 1800.0, 3600.0)


@router.on(
    LogisticsShipped,
    LogisticsPartlyShipped,
    OrderStatusChanged,
    settings=TrackingSettings,
    timeout=timedelta(minutes=2),
)
async def fetch_tracking(event: Event[Shipment], ctx: Context) -> LogisticsTracked | None:
    """Publish `logistics.tracked` for a shipment, once a parcel of it is known."""
    data = event.data
    if isinstance(data, OrderStatusChanged) and not turned_shipped_alone(data):
        return None
    if data.order_id is None or data.channel == "unknown":
        raise Drop("no order id or no channel, so there is nothing to ask for")
    traces = await _traces(ctx.api, data, data.order_id)
    if not traces:
        own: TrackingSettings = ctx.settings
        if ctx.attempt > len(own.ask_again_s):
            raise Drop(f"still no tracking after {ctx.attempt} attempts")
        raise Retry(after=own.ask_again_s[ctx.attempt - 1], reason="no tracking yet")
    return LogisticsTracked(
        channel=data.channel, order_id=data.order_id, order_no=data.order_no, traces=traces
    )


def turned_shipped_alone(data: OrderStatusChanged) -> bool:
    """Whether a status change is the only news of a shipment.

    Where one of its lines is shipped, the same callback has made a `logistics.shipped` or
    `logistics.partly_shipped` beside it, and that one is acted on.
    """
    return data.status is OrderStatus.SHIPPED and not any(
        line.status is OrderStatus.SHIPPED for line in data.lines
    )


async def _traces(api: PlatformAPI, data: Shipment, order_id: str) -> tuple[Trace, ...]:
    """The parcels of which something is known, each once: several lines may share one."""
    if data.channel == "1688":
        logistics = await api.alibaba.orders.logistics(order_id)
        found = [_alibaba_trace(trace) for trace in logistics.traces]
    else:
        line_ids = dict.fromkeys(line.line_id for line in data.lines if line.line_id)
        found = [
            _taobao_trace(parcel)
            for line_id in line_ids or (order_id,)
            for parcel in (await api.taobao.orders.logistics(line_id)).parcels
        ]
    return tuple(dict.fromkeys(t for t in found if t.steps or t.parcel.waybill_no))


def _alibaba_trace(trace: AlibabaLogisticsTrace) -> Trace:
    nodes = trace.trace_node_list
    return Trace(
        parcel=Parcel(
            carrier=trace.logistics_company_name,
            waybill_no=trace.logistics_bill_no,
            logistics_id=trace.logistics_id,
        ),
        progress=_latest((node.accept_time, node.action) for node in nodes),
        steps=_alibaba_steps(nodes or trace.logistics_steps),
    )


def _alibaba_steps(
    steps: Sequence[AlibabaTraceNode] | Sequence[AlibabaLogisticsStep],
) -> tuple[TraceStep, ...]:
    return tuple(
        TraceStep(
            time=step.accept_time,
            action=step.action,
            description=step.remark,
            place=step.facility_name or step.area_code,
        )
        if isinstance(step, AlibabaTraceNode)
        else TraceStep(time=step.accept_time, description=step.remark)
        for step in steps
    )


def _taobao_trace(parcel: TaobaoParcel) -> Trace:
    carrier = next((partner.company for partner in parcel.partners if partner.company), None)
    return Trace(
        parcel=Parcel(carrier=carrier, waybill_no=parcel.mail_no),
        progress=_latest(
            (step.time, word) for step in parcel.traces for word in (step.action, step.status)
        ),
        steps=tuple(map(_taobao_step, parcel.traces)),
    )


def _taobao_step(step: TaobaoLogisticsStep) -> TraceStep:
    parts = (step.province, step.city, step.district, step.facility_name)
    return TraceStep(
        time=step.time,
        action=step.action or step.status,
        description=step.standard_desc or step.status_desc,
        place=" ".join(dict.fromkeys(part for part in parts if part)) or None,
    )


def _latest(steps: Iterable[tuple[datetime | None, str | None]]) -> Progress:
    """The progress that the newest step with a known word gives; a reply's order is not known."""
    known = [
        (time or _LONG_AGO, progress(word))
        for time, word in steps
        if progress(word) is not Progress.UNKNOWN
    ]
    return max(known, key=lambda step: step[0])[1] if known else Progress.UNKNOWN
