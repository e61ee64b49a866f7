"""When goods have left, ask the platform for their tracking until it is signed for; publish it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

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
_Gap = Annotated[float, Field(ge=1, le=7 * 86_400)]

router = Router(needs_api=True)


class TrackingSettings(BaseModel):
    """`[handlers.fetch_tracking.settings]`.

    `ask_again_s` is when to ask again, in seconds, while the carrier has no progress; then this
    shipment is let go. `refresh_s` are the gaps, in seconds, after which a shipment that is known
    is asked for again, the last one ever after, until all its parcels are signed for or
    `refresh_days` have passed; where it is empty, it is asked for once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask_again_s: tuple[PositiveFloat, ...] = (60.0, 300.0, 900.0, 1800.0, 3600.0)
    refresh_s: tuple[_Gap, ...] = (3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0)
    refresh_days: PositiveFloat = 15.0


@router.on(
    LogisticsShipped,
    LogisticsPartlyShipped,
    OrderStatusChanged,
    settings=TrackingSettings,
    timeout=timedelta(minutes=2),
)
async def fetch_tracking(event: Event[Shipment], ctx: Context) -> LogisticsTracked | None:
    """Publish `logistics.tracked` for a shipment once a parcel of it is known, and when it changes.

    The key of the timer says what was published last, so nothing else need be kept.
    """
    data = event.data
    if isinstance(data, OrderStatusChanged) and not turned_shipped_alone(data):
        return None
    if data.order_id is None or data.channel == "unknown":
        raise Drop("no order id or no channel, so there is nothing to ask for")
    own: TrackingSettings = ctx.settings
    # To ask again is worth less than what others ask for now.
    api = ctx.api if ctx.timer is None else ctx.api.with_priority("sweep")
    traces = await _traces(api, data, data.order_id)
    if not traces and ctx.timer is None:
        if ctx.attempt > len(own.ask_again_s):
            raise Drop(f"still no tracking after {ctx.attempt} attempts")
        raise Retry(after=own.ask_again_s[ctx.attempt - 1], reason="no tracking yet")
    known = _key(traces) if traces else ctx.timer
    if not (traces and all(trace.progress is Progress.SIGNED for trace in traces)):
        gap_s = gap_until_refresh(own, ctx.now() - event.received_at)
        if known is not None and gap_s is not None:
            await ctx.schedule(after=gap_s, key=known)
    if known == ctx.timer:
        return None
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


def gap_until_refresh(own: TrackingSettings, age: timedelta) -> float | None:
    """In how many seconds to ask again for a shipment of an age; None where that is over.

    A time that has all but come is left out: the clocks of two machines differ a little.
    """
    age_s, due_s = age.total_seconds(), 0.0
    for gap_s in chain(own.refresh_s, repeat(own.refresh_s[-1])) if own.refresh_s else ():
        due_s += gap_s
        if due_s > own.refresh_days * 86_400:
            break
        if due_s > age_s + gap_s / 4:
            return due_s - age_s
    return None


def _key(traces: Sequence[Trace]) -> str:
    """The same for the same traces, in whatever order the parcels come."""
    texts = sorted(trace.model_dump_json() for trace in traces)
    return f"tracked {hashlib.sha256(''.join(texts).encode()).hexdigest()[:16]}"


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
    """The progress that the newest step with a known word gives, of two at one time the later one
    of a parcel's way; a reply's order is not known.
    """
    known = [
        (time or _LONG_AGO, progress(word))
        for time, word in steps
        if progress(word) is not Progress.UNKNOWN
    ]
    way = list(Progress)
    newest = max(known, key=lambda step: (step[0], way.index(step[1])), default=None)
    return newest[1] if newest else Progress.UNKNOWN
