"""Calls against a real server: what is sent, and what is made of the reply."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError, APIUnavailableError, InvalidRequestError
from schemas.times import CHINA
from schemas.values import Money
from tests.client.conftest import Platform, settings_of

ORDER_ID = "2019601741959504495"
DETAIL = {"baseInfo": {"idOfStr": ORDER_ID, "status": "waitbuyerreceive", "totalAmount": 12.5}}
TRACE = {
    "logisticsId": "LP00001",
    "orderId": int(ORDER_ID),
    "logisticsBillNo": 78753196186473,
    "logisticsCompanyName": "Sample Express",
    "logisticsSteps": [{"acceptTime": "2024-01-31 08:00:00", "remark": "Collected"}],
    "traceNodeList": [
        {"acceptTime": "2024-01-31 08:00:00", "action": "ACCEPT", "areaCode": 330100}
    ],
}
LOGISTICS = {
    "purchaseOrderOuterId": 3682557363260579405,
    "pnmLogisticsDetails": [
        {
            "mailNo": "78753196186473",
            "logisticsTraces": [
                {"time": "2023-12-14 21:39:11", "status": "TRANSPORT", "standerdDesc": "On its way"}
            ],
            "logisticsPartner": [{"company": "Sample Express"}],
            "logisticsGoods": [{"title": "A cup", "quantity": "2"}],
        }
    ],
}


async def test_a_1688_order_is_asked_for_by_text_id(platform: Platform, api: PlatformAPI) -> None:
    platform.reply(DETAIL)

    order = await api.alibaba.orders.detail(ORDER_ID)

    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v2/alibaba/order/detail")
    assert json.loads(asked.body) == {"webSite": "1688", "orderId": ORDER_ID}
    assert asked.headers["content-type"] == "application/json"
    assert order.order_id == ORDER_ID
    assert order.base_info is not None
    assert order.base_info.total_amount == Money.model_validate({"amount": "12.50"})


async def test_a_19_digit_id_survives_as_a_bare_number(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send(f'{{"code":200,"data":{{"baseInfo":{{"id":{ORDER_ID}}}}}}}')

    assert (await api.alibaba.orders.detail(ORDER_ID)).order_id == ORDER_ID


async def test_an_int_id_is_sent_as_a_bare_number_with_every_digit(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply(True)

    await api.alibaba.orders.cancel(ORDER_ID)

    assert platform.asked[0].body == (
        b'{"webSite":"1688","orderId":' + ORDER_ID.encode() + b',"cancelReason":"buyerCancel"}'
    )


@pytest.mark.parametrize("wrapper", ["result", "data"])
async def test_the_upstreams_wrapper_is_seen_through(
    platform: Platform, api: PlatformAPI, wrapper: str
) -> None:
    platform.reply({"success": "true", wrapper: DETAIL})

    assert (await api.alibaba.orders.detail(ORDER_ID)).order_id == ORDER_ID


@pytest.mark.parametrize(
    "data",
    [
        [TRACE],
        [TRACE, None, "x", 7],
        {"logisticsTrace": [TRACE]},
        {"success": True, "errors": [], "result": {"orderId": ORDER_ID, "anyName": [TRACE]}},
        TRACE,
    ],
)
async def test_1688_tracking_is_read_from_a_list_an_object_or_a_row(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    (trace,) = (await api.alibaba.orders.logistics(ORDER_ID, "LP00001")).traces

    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("GET", "/v2/alibaba/order/logistics/trace")
    assert asked.query == {"webSite": "1688", "orderId": ORDER_ID, "logisticsId": "LP00001"}
    assert asked.body == b""
    assert (trace.logistics_id, trace.order_id) == ("LP00001", ORDER_ID)
    assert trace.logistics_bill_no == "78753196186473"
    assert trace.logistics_steps[0].accept_time == datetime(2024, 1, 31, 8, tzinfo=CHINA)
    assert (trace.trace_node_list[0].action, trace.trace_node_list[0].area_code) == (
        "ACCEPT",
        "330100",
    )


@pytest.mark.parametrize("data", [None, [], {}, {"logisticsTrace": None}, {"logisticsTrace": []}])
async def test_no_tracking_yet_is_an_empty_list(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    assert (await api.alibaba.orders.logistics(ORDER_ID)).traces == ()
    assert platform.asked[0].query == {"webSite": "1688", "orderId": ORDER_ID}


async def test_a_taobao_order_keeps_what_is_not_known(platform: Platform, api: PlatformAPI) -> None:
    platform.reply({"salesOrderId": 200033789041, "status": 10, "anything": {"else": [1]}})

    order = await api.taobao.orders.detail("200033789041")

    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("GET", "/v2/taobao/order/get")
    assert asked.query == {"orderId": "200033789041"}
    assert (order.sales_order_id, order.status) == ("200033789041", "10")
    assert order.model_extra == {"anything": {"else": [1]}}


async def test_taobao_logistics_are_read(platform: Platform, api: PlatformAPI) -> None:
    platform.reply(LOGISTICS)

    detail = await api.taobao.orders.logistics("200033789041")

    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("GET", "/v2/taobao/order/logistics/detail/get")
    assert asked.query == {"subPurchaseOrderId": "200033789041"}
    assert detail.purchase_order_outer_id == "3682557363260579405"
    (parcel,) = detail.parcels
    assert parcel.mail_no == "78753196186473"
    assert parcel.traces[0].time == datetime(2023, 12, 14, 21, 39, 11, tzinfo=CHINA)
    assert parcel.traces[0].standard_desc == "On its way"
    assert parcel.partners[0].company == "Sample Express"
    assert parcel.goods[0].quantity == 2


@pytest.mark.parametrize("data", [None, [], {}, {"pnmLogisticsDetails": None}])
async def test_a_line_without_a_parcel_has_no_parcels(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    assert (await api.taobao.orders.logistics("1")).parcels == ()


async def test_an_order_that_is_not_there_is_refused(platform: Platform, api: PlatformAPI) -> None:
    platform.reply(None)

    with pytest.raises(APIRejectedError, match="holds no data") as caught:
        await api.taobao.orders.detail("1")

    assert (caught.value.request_id, caught.value.retryable) == ("r-1", False)


@pytest.mark.parametrize("data", ["text", 7, True])
async def test_data_of_another_shape_is_no_usable_answer(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    with pytest.raises(APIUnavailableError, match="is not an object"):
        await api.alibaba.orders.detail("1")
    with pytest.raises(APIUnavailableError, match="is not a list"):
        await api.alibaba.orders.logistics("1")


@pytest.mark.parametrize(
    "hostile",
    [
        "1&orderId=2&admin=1",
        "1#fragment",
        "../../secret?x=1",
        "a.b*c>d e",
        "%26x%3d1",
        "+ +",
        "订单\r\nX-Header: 1",
        "\0",
        "9" * 128,
    ],
)
async def test_a_hostile_order_id_stays_one_value_of_the_query(
    platform: Platform, api: PlatformAPI, hostile: str
) -> None:
    platform.reply([])

    await api.alibaba.orders.logistics(hostile)

    asked = platform.asked[0]
    assert asked.query == {"webSite": "1688", "orderId": hostile}
    assert asked.raw_query.count(b"&") == 1
    assert asked.path == "/v2/alibaba/order/logistics/trace"
    assert "x-header" not in asked.headers


async def test_an_order_id_beyond_all_bounds_is_refused_here(
    platform: Platform, api: PlatformAPI
) -> None:
    with pytest.raises(InvalidRequestError, match="1 to 128 characters"):
        await api.alibaba.orders.logistics("9" * 129)

    assert platform.asked == []


async def test_a_proxy_of_the_environment_is_not_used_on_loopback(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.reply([])
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with PlatformAPI.open(settings_of(platform.url)) as api:
        assert (await api.alibaba.orders.logistics("1")).traces == ()


async def test_many_calls_at_once_get_each_its_own_reply(
    platform: Platform, api: PlatformAPI
) -> None:
    async def echo(request: Request) -> Response:
        row = {"logisticsId": "LP", "orderId": request.query_params["orderId"]}
        return JSONResponse({"code": 200, "data": [row]})

    platform.answering = echo
    # Few enough for a slow machine: the server here answers 503 to what waits too long for it.
    ids = [str(2019601741959504495 + number) for number in range(50)]
    traces = await asyncio.gather(*(api.alibaba.orders.logistics(each) for each in ids))

    assert [trace.order_id for (trace,) in (each.traces for each in traces)] == ids


ROW = {"logisticsId": 7, "logisticsSteps": {"acceptTime": "20260520154000", "remark": "r"}}
ROWS: dict[str, object] = {
    "a list": [ROW],
    "a list as JSON text": json.dumps([ROW]),
    "a row as JSON text": json.dumps(ROW),
    "rows as JSON text": [json.dumps(ROW)],
    "JSON text in an object": {"logisticsTrace": json.dumps([ROW])},
    "an object as JSON text": json.dumps({"logisticsTrace": [ROW]}),
}


@pytest.mark.parametrize("shape", ROWS)
async def test_a_reply_in_another_shape_says_the_same(
    platform: Platform, api: PlatformAPI, shape: str
) -> None:
    platform.reply(ROWS[shape])

    (trace,) = (await api.alibaba.orders.logistics("1234567890")).traces

    assert trace.logistics_id == "7"
    assert [step.accept_time for step in trace.logistics_steps] == [
        datetime(2026, 5, 20, 15, 40, tzinfo=CHINA)
    ]


async def test_a_broken_text_in_a_reply_does_not_lose_it(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send(b'{"code":200,"data":[{"logisticsId":7,"a":"\\ud83d","b":"x\ny","c":NaN}]}')

    (trace,) = (await api.alibaba.orders.logistics("1234567890")).traces

    assert trace.logistics_id == "7"


async def test_a_case_is_named_in_the_body_and_in_the_query(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply({"refundId": "TQ1"})

    await api.alibaba.refunds.detail("TQ1")

    asked = platform.asked[0]
    assert (asked.query, json.loads(asked.body)) == ({"refundId": "TQ1"}, {"refundId": "TQ1"})


async def test_what_was_not_as_documented_is_in_the_log_by_its_place(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply({"baseInfo": {"idOfStr": "27", "totalAmount": "a private word"}})
    with capture_logs() as lines:
        order = await api.alibaba.orders.detail("27")

    assert order.order_id == "27"
    (line,) = lines
    assert line["faults"] == ["data.baseInfo.totalAmount"]
    assert "private" not in str(line)


@pytest.mark.parametrize(
    "value", [float("nan"), {1}, "\ud800"], ids=["no number", "no JSON", "no text"]
)
async def test_what_cannot_be_written_is_not_sent(
    platform: Platform, api: PlatformAPI, value: Any
) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        await api.warehouse.preview_freight({"a": value})

    assert platform.asked == []
