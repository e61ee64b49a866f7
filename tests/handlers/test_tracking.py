"""Fetching the tracking of a shipment, on both channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import httpx2
import pytest
import structlog
from pydantic import SecretStr

from handlers.tracking import TrackingSettings, gap_until_refresh, router
from receiver.client.platform import PlatformAPI
from receiver.errors import ConfigurationError
from receiver.settings import APISettings
from receiver.testing import HandlerRun, Kit, make_event, run_handler
from receiver.worker.outcomes import NakWithDelay
from schemas.events import (
    EventData,
    Line,
    LogisticsPartlyShipped,
    LogisticsShipped,
    LogisticsTracked,
    OrderStatusChanged,
    Parcel,
    Trace,
    TraceStep,
)
from schemas.statuses import OrderStatus, Progress
from schemas.times import CHINA

ORDER_ID = "2745812000123456789"
ASK_AGAIN_S = TrackingSettings().ask_again_s
Answer = Callable[[httpx2.Request], Any]


class Platform:
    """Answers each call with `data`, or with what `data` makes of the request; notes the URLs."""

    def __init__(self) -> None:
        self.data: Any = None
        self.asked: list[httpx2.URL] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url)
        data = self.data(request) if callable(self.data) else self.data
        return httpx2.Response(200, json={"code": 200, "data": data})


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[PlatformAPI]:
    settings = APISettings(
        base_url="http://platform.test",
        access_key="key",
        secret=SecretStr("secret"),
        rate_per_s=1000,
    )
    transport = httpx2.MockTransport(platform.answer)
    async with PlatformAPI.open(settings, transport=transport) as opened:
        yield opened


async def run(api: PlatformAPI | None, data: EventData, *, attempt: int = 1) -> HandlerRun:
    return await run_handler(router.handlers[0], make_event(data), api=api, attempt=attempt)


def shipped(**fields: Any) -> LogisticsShipped:
    return LogisticsShipped(**{"channel": "1688", "order_id": ORDER_ID} | fields)


def status_changed(status: OrderStatus, *lines: OrderStatus) -> OrderStatusChanged:
    return OrderStatusChanged(
        channel="taobao",
        order_id=ORDER_ID,
        status=status,
        lines=tuple(Line(line_id=f"L{n}", status=word) for n, word in enumerate(lines)),
    )


ALIBABA = [
    {
        "logisticsId": "LP001",
        "orderId": ORDER_ID,
        "logisticsBillNo": "YT1",
        "logisticsCompanyName": "圆通",
        "logisticsSteps": [{"acceptTime": "2026-01-31 08:00:00", "remark": "text only"}],
        "traceNodeList": [
            {
                "acceptTime": "2026-01-31 10:00:00",
                "action": "TRANSPORT",
                "facilityName": "义乌",
                "remark": "left the hub",
            },
            {"acceptTime": "2026-01-31 09:00:00", "action": "ACCEPT", "areaCode": "330782"},
        ],
    }
]


def taobao(mail_no: str) -> dict[str, Any]:
    return {
        "purchaseOrderOuterId": "P1",
        "pnmLogisticsDetails": [
            {
                "mailNo": mail_no,
                "logisticsPartner": [{"company": "中通", "companyContact": "95311"}],
                "logisticsTraces": [
                    {
                        "time": "2026-01-31 10:00:00",
                        "status": "SIGN",
                        "standerdDesc": "signed for",
                        "province": "浙江省",
                        "city": "杭州市",
                        "facilityName": "杭州市",
                    }
                ],
                "receiver": {"name": "RECEIVER", "mobile": "13800000000", "address": "ADDRESS"},
                "logisticsGoods": [{"title": "TITLE"}],
            }
        ],
    }


async def test_a_1688_shipment_is_tracked(platform: Platform, api: PlatformAPI) -> None:
    platform.data = ALIBABA
    ran = await run(api, shipped(order_no="N1"))
    assert platform.asked[0].params["orderId"] == ORDER_ID
    (event,) = ran.published
    assert event.trust == "requeried"
    assert event.data == LogisticsTracked(
        channel="1688",
        order_id=ORDER_ID,
        order_no="N1",
        traces=(
            Trace(
                parcel=Parcel(carrier="圆通", waybill_no="YT1", logistics_id="LP001"),
                progress=Progress.IN_TRANSIT,
                steps=(
                    TraceStep(
                        time=datetime(2026, 1, 31, 10, tzinfo=CHINA),
                        action="TRANSPORT",
                        description="left the hub",
                        place="义乌",
                    ),
                    TraceStep(
                        time=datetime(2026, 1, 31, 9, tzinfo=CHINA),
                        action="ACCEPT",
                        place="330782",
                    ),
                ),
            ),
        ),
    )


async def test_steps_given_as_text_alone_are_kept(platform: Platform, api: PlatformAPI) -> None:
    platform.data = [ALIBABA[0] | {"traceNodeList": None}]
    ran = await run(api, shipped())
    (trace,) = tracked(ran).traces
    assert [step.description for step in trace.steps] == ["text only"]
    assert trace.progress is Progress.UNKNOWN


def tracked(ran: HandlerRun) -> LogisticsTracked:
    (event,) = ran.published
    assert isinstance(event.data, LogisticsTracked)
    return event.data


async def test_a_taobao_shipment_is_tracked_line_by_line(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = lambda request: taobao(f"of {request.url.params['subPurchaseOrderId']}")
    lines = tuple(Line(line_id=line_id) for line_id in ("L1", "L2", "L1", None))
    ran = await run(api, shipped(channel="taobao", lines=lines))
    traces = tracked(ran).traces
    assert [trace.parcel.waybill_no for trace in traces] == ["of L1", "of L2"]
    assert traces[0] == Trace(
        parcel=Parcel(carrier="中通", waybill_no="of L1"),
        progress=Progress.SIGNED,
        steps=(
            TraceStep(
                time=datetime(2026, 1, 31, 10, tzinfo=CHINA),
                action="SIGN",
                description="signed for",
                place="浙江省 杭州市",
            ),
        ),
    )


async def test_progress_is_read_from_the_status_where_the_action_says_none(
    platform: Platform, api: PlatformAPI
) -> None:
    step = {"time": "2026-01-31 10:00:00", "status": "DELIVERING", "action": "TMS_STATION_OUT"}
    platform.data = {"pnmLogisticsDetails": [{"mailNo": "Z1", "logisticsTraces": [step]}]}
    ran = await run(api, shipped(channel="taobao", lines=(Line(line_id="L1"),)))
    (trace,) = tracked(ran).traces
    assert (trace.progress, trace.steps[0].action) == (Progress.DELIVERING, "TMS_STATION_OUT")


@pytest.mark.parametrize("actions", [("DELIVERING", "SIGN"), ("SIGN", "DELIVERING")])
async def test_of_two_steps_at_one_time_the_later_one_of_the_way_counts(
    platform: Platform, api: PlatformAPI, actions: Sequence[str]
) -> None:
    nodes = [{"acceptTime": "2026-01-31 10:00:00", "action": action} for action in actions]
    platform.data = [ALIBABA[0] | {"traceNodeList": nodes}]
    (trace,) = tracked(await run(api, shipped())).traces
    assert trace.progress is Progress.SIGNED


async def test_a_parcel_that_lines_share_is_told_once(platform: Platform, api: PlatformAPI) -> None:
    platform.data = taobao("Z1")
    lines = (Line(line_id="L1"), Line(line_id="L2"))
    ran = await run(api, shipped(channel="taobao", lines=lines))
    assert len(tracked(ran).traces) == 1


async def test_without_lines_the_order_itself_is_asked_for(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = taobao("Z1")
    await run(api, shipped(channel="taobao"))
    assert [url.params["subPurchaseOrderId"] for url in platform.asked] == [ORDER_ID]


async def test_the_receiver_is_neither_in_the_event_nor_in_the_log(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = taobao("Z1")
    with structlog.testing.capture_logs() as logs:
        ran = await run(api, shipped(channel="taobao"))
    told = f"{tracked(ran).model_dump_json()}{logs}"
    for private in ("RECEIVER", "13800000000", "ADDRESS"):
        assert private not in told


async def test_a_part_shipment_is_tracked_too(platform: Platform, api: PlatformAPI) -> None:
    platform.data = ALIBABA
    ran = await run(api, LogisticsPartlyShipped(channel="1688", order_id=ORDER_ID))
    assert len(ran.published) == 1


async def test_a_status_that_turned_shipped_without_its_lines_is_tracked(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = taobao("Z1")
    ran = await run(api, status_changed(OrderStatus.SHIPPED))
    assert len(ran.published) == 1


@pytest.mark.parametrize(
    "data",
    [
        status_changed(OrderStatus.SHIPPED, OrderStatus.SHIPPED),
        status_changed(OrderStatus.SHIPPED, OrderStatus.CLOSED, OrderStatus.SHIPPED),
        status_changed(OrderStatus.CLOSED),
        status_changed(OrderStatus.UNKNOWN, OrderStatus.AWAITING_SHIPMENT),
    ],
)
async def test_other_status_changes_ask_for_nothing(
    platform: Platform, api: PlatformAPI, data: OrderStatusChanged
) -> None:
    ran = await run(api, data)
    assert ran.outcome == "done"
    assert not ran.published
    assert not platform.asked


EMPTY: list[Any] = [None, [], [{"logisticsId": "LP001", "logisticsSteps": []}]]


@pytest.mark.parametrize("reply", EMPTY)
async def test_no_tracking_yet_is_asked_for_again_later(
    platform: Platform, api: PlatformAPI, reply: Any
) -> None:
    platform.data = reply
    for attempt, delay_s in enumerate(ASK_AGAIN_S, start=1):
        ran = await run(api, shipped(), attempt=attempt)
        assert ran.decision == NakWithDelay(delay_s, "postponed", failed=False)


async def test_a_shipment_without_tracking_is_let_go_in_the_end(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = []
    ran = await run(api, shipped(), attempt=len(ASK_AGAIN_S) + 1)
    assert ran.outcome == "dropped"


@pytest.mark.parametrize("fields", [{"order_id": None}, {"channel": "unknown"}])
async def test_a_shipment_of_no_known_order_is_dropped(
    platform: Platform, api: PlatformAPI, fields: dict[str, Any]
) -> None:
    ran = await run(api, shipped(**fields))
    assert ran.outcome == "dropped"
    assert not platform.asked


async def test_it_is_not_run_without_an_api() -> None:
    assert all(handler.needs_api for handler in router.handlers)
    ran = await run(None, shipped())
    assert ran.error.startswith(ConfigurationError.__name__)


async def test_the_pauses_are_those_of_the_settings(platform: Platform, api: PlatformAPI) -> None:
    platform.data = []
    own = TrackingSettings(ask_again_s=(7,))
    outcomes = [
        await run_handler(
            router.handlers[0], make_event(shipped()), api=api, attempt=attempt, settings=own
        )
        for attempt in (1, 2)
    ]
    assert outcomes[0].decision == NakWithDelay(7, "postponed", failed=False)
    assert outcomes[1].outcome == "dropped"


def alibaba(*actions: str) -> list[dict[str, Any]]:
    """A parcel that has come so far."""
    nodes = [
        {"acceptTime": f"2026-01-31 {10 + hour}:00:00", "action": action}
        for hour, action in enumerate(actions)
    ]
    return [ALIBABA[0] | {"traceNodeList": nodes}]


def kit_of(api: PlatformAPI, **changed: Any) -> Kit:
    return Kit(router.handlers[0], api=api, settings=TrackingSettings(**changed))


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


async def test_a_shipment_is_asked_for_again_after_growing_gaps(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api)
    event = make_event(shipped())
    await kit.run(event)
    ran = await kit.advance(hours(46))
    at = [(run_at - event.received_at) / hours(1) for run_at in asked_at(ran, kit)]
    assert at == [4, 10, 22, 46, 70]
    assert [len(platform.asked), len(kit.published)] == [6, 1]


def asked_at(ran: Sequence[HandlerRun], kit: Kit) -> list[datetime]:
    """When each of these runs set the next one for."""
    return [due for run in ran for due in run.scheduled.values()]


async def test_what_has_changed_is_published_once(platform: Platform, api: PlatformAPI) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api, refresh_s=[3600.0])
    await kit.run(make_event(shipped()))
    await kit.advance(hours(2))
    platform.data = alibaba("ACCEPT", "TRANSPORT")
    await kit.advance(hours(3))
    published = [event.data.traces[0] for event in kit.published if is_tracked(event.data)]
    assert [len(trace.steps) for trace in published] == [1, 2]
    assert len({event.id for event in kit.published}) == 2
    assert len(platform.asked) == 6


def is_tracked(data: EventData) -> TypeGuard[LogisticsTracked]:
    return isinstance(data, LogisticsTracked)


async def test_once_all_is_signed_for_nothing_is_asked_any_more(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api)
    await kit.run(make_event(shipped()))
    platform.data = alibaba("ACCEPT", "SIGN")
    (signed,) = await kit.advance(hours(24))
    assert tracked(signed).traces[0].progress is Progress.SIGNED
    assert signed.scheduled == {}


async def test_a_parcel_that_is_on_its_way_keeps_a_shipment_open(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = [*alibaba("SIGN"), *alibaba("TRANSPORT")]
    kit = kit_of(api)
    ran = await kit.run(make_event(shipped()))
    assert len(ran.scheduled) == 1


async def test_two_reports_of_one_shipment_are_asked_for_in_one_row(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api, refresh_s=[3600.0])
    event = make_event(shipped())
    await kit.run(event)
    await kit.retransmit(event)
    ran = await kit.advance(hours(3))
    assert len(ran) == 3


async def test_a_shipment_is_let_go_after_some_days(platform: Platform, api: PlatformAPI) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api, refresh_s=[86_400.0], refresh_days=3)
    await kit.run(make_event(shipped()))
    assert len(await kit.advance(timedelta(days=30))) == 3


async def test_without_gaps_a_shipment_is_asked_for_once(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = alibaba("ACCEPT")
    ran = await kit_of(api, refresh_s=[]).run(make_event(shipped()))
    assert (len(ran.published), ran.scheduled) == (1, {})


async def test_tracking_that_is_gone_for_a_while_is_no_news(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.data = alibaba("ACCEPT")
    kit = kit_of(api, refresh_s=[3600.0])
    await kit.run(make_event(shipped()))
    platform.data = []
    (gone,) = await kit.advance(hours(1))
    platform.data = alibaba("ACCEPT")
    (there,) = await kit.advance(hours(1))
    assert [gone.outcome, there.outcome] == ["done", "done"]
    assert len(kit.published) == 1


@pytest.mark.parametrize(
    ("age_s", "gap_s"),
    [(0, 10), (4, 6), (9.99, 20.01), (10.2, 19.8), (30, 20), (49, 21), (51, 19), (99, None)],
)
def test_the_gap_until_a_refresh_counts_from_when_the_shipment_came_in(
    age_s: float, gap_s: float | None
) -> None:
    own = TrackingSettings(refresh_s=(10.0, 20.0), refresh_days=100 / 86_400)
    gap = gap_until_refresh(own, timedelta(seconds=age_s))
    assert gap == (None if gap_s is None else pytest.approx(gap_s))
