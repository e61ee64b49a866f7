"""The simulated API: its paths, its signature check, its faults, and what it says of the orders."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from receiver.client.platform import PlatformAPI
from receiver.settings import APISettings
from receiver.signatures import xport_signature
from receiver.simulator.faults import Faults
from receiver.simulator.messages import order_detail
from receiver.simulator.orders import Order
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.signing import Account
from tests.simulator.conftest import Receiver, receiving

CALLER = Account("caller", "hidden")


@pytest.fixture(scope="module")
async def pushed_to() -> AsyncIterator[Receiver]:
    async with receiving() as noted:
        yield noted


@pytest.fixture(scope="module")
async def lived(pushed_to: Receiver) -> AsyncIterator[SimulatedPlatform]:
    async with SimulatedPlatform(pushed_to.config(api_account=CALLER)) as running:
        await running.run(orders=10)
        yield running


@pytest.fixture
def platform(lived: SimulatedPlatform) -> SimulatedPlatform:
    """A platform on which ten orders have lived, all well and nothing asked yet."""
    lived.api.faults = Faults()
    lived.api.journal.calls.clear()
    return lived


def shipped(platform: SimulatedPlatform, channel: str) -> list[Order]:
    orders = platform.book.orders.values()
    return [order for order in orders if order.parcel and order.channel == channel]


def signed(account: Account = CALLER, **changes: str) -> dict[str, str]:
    nonce, timestamp = secrets.token_hex(16), str(int(time.time() * 1000))
    sent = {"access-key": account.access_key, "timestamp": timestamp, "nonce-str": nonce}
    sent |= {"user-id": "1"} | changes
    parts = (sent["access-key"], sent["timestamp"], sent["nonce-str"])
    return {"signature": xport_signature(*parts, account.secret)} | sent


async def get(
    platform: SimulatedPlatform, http: httpx2.AsyncClient, path: str, **changes: str
) -> dict[str, Any]:
    answer = await http.get(platform.api_url + path, headers=signed(CALLER, **changes))
    read: dict[str, Any] = answer.json()
    return read


def api_settings(platform: SimulatedPlatform, **options: Any) -> APISettings:
    values = {"base_url": platform.api_url, "access_key": "caller", "secret": "hidden"}
    return APISettings.model_validate(values | {"rate_per_s": 1000} | options)


async def test_the_trace_agrees_with_the_pushes(
    platform: SimulatedPlatform, pushed_to: Receiver, http: httpx2.AsyncClient
) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    for body in pushed_to.bodies:
        message = json.loads(body)
        if message["messageType"].endswith("LOGISTICS_BUYER_VIEW_TRACE"):
            inner = message["messageBody"]
            inner = json.loads(inner) if isinstance(inner, str) else inner
            told.setdefault(str(inner["orderLogsItems"][0]["orderId"]), []).append(inner)
    assert len(told) > 1
    for order_id, pushed in told.items():
        path = f"/v2/alibaba/order/logistics/trace?orderId={order_id}"
        (trace,) = (await get(platform, http, path))["data"]
        assert {p["mailNo"] for p in pushed} == {trace["logisticsBillNo"]}
        assert {p["logisticsId"] for p in pushed} == {trace["logisticsId"]}
        words = [node["action"] for node in trace["traceNodeList"]]
        assert words == ["CONSIGN", *(p["statusChanged"] for p in pushed)]


async def test_our_client_reads_every_call(platform: SimulatedPlatform) -> None:
    async with PlatformAPI.open(api_settings(platform)) as api:
        for order in shipped(platform, "1688"):
            assert order.parcel is not None
            (trace,) = (await api.alibaba.orders.logistics(order.order_id)).traces
            assert trace.logistics_bill_no == order.parcel.waybill_no
            assert (await api.alibaba.orders.detail(order.order_id)).order_id == order.order_id
        for order in shipped(platform, "taobao"):
            assert order.parcel is not None
            tracked = await api.taobao.orders.logistics(order.line_ids[0])
            assert tracked.parcels[0].mail_no == order.parcel.waybill_no
            detail = await api.taobao.orders.detail(order.order_id)
            assert detail.sales_order_id == order.order_id


async def test_a_taobao_parcel_moves_in_taobaos_words(
    platform: SimulatedPlatform, http: httpx2.AsyncClient
) -> None:
    line = shipped(platform, "taobao")[0].line_ids[0]
    path = f"/v2/taobao/order/logistics/detail/get?subPurchaseOrderId={line}"
    steps = (await get(platform, http, path))["data"]["pnmLogisticsDetails"][0]["logisticsTraces"]
    said = [(step["status"], step["action"]) for step in steps]
    assert said == [
        ("WAITING_COLLECT", None),
        ("COLLECTED", None),
        ("TRANSPORT", "TMS_STATION_OUT"),
        ("DELIVERING", None),
        ("SIGNED", None),
    ]


async def test_a_cancelled_order_has_the_details_words(platform: SimulatedPlatform) -> None:
    cancelled = [order for order in platform.book.orders.values() if order.close_reason]
    detail = order_detail(cancelled[0], platform.book.now())
    base = detail["baseInfo"]
    assert (base["closeReason"], base["closeOperateType"]) == (
        "buyerCancel",
        "CLOSE_TRADE_BY_BUYER",
    )
    assert detail["tradeTerms"] == [{"payStatus": "1"}]


@pytest.mark.parametrize("edition", ["v1", "v2"])
@pytest.mark.parametrize("unit", ["ms", "s"])
async def test_both_editions_and_both_units_of_time_are_served(
    platform: SimulatedPlatform, edition: str, unit: str
) -> None:
    settings = api_settings(platform, timestamp_unit=unit, edition=edition)
    async with PlatformAPI.open(settings) as api:
        ours, theirs = shipped(platform, "1688")[0], shipped(platform, "taobao")[0]
        await api.alibaba.orders.detail(ours.order_id)
        await api.alibaba.orders.logistics(ours.order_id)
        await api.taobao.orders.detail(theirs.order_id)
        await api.taobao.orders.logistics(theirs.line_ids[0])
    paths = [call.path for call in platform.api.journal.calls]
    assert len(paths) == 4
    assert all(path.startswith("/v2/") == (edition == "v2") for path in paths)


@pytest.mark.parametrize("parameter", ["orderId", "purchaseOrderId", "salesOrderId"])
async def test_the_taobao_order_is_found_by_any_name(
    platform: SimulatedPlatform, http: httpx2.AsyncClient, parameter: str
) -> None:
    order = shipped(platform, "taobao")[0]
    reply = await get(platform, http, f"/v2/taobao/order/get?{parameter}={order.order_id}")
    assert (reply["code"], reply["data"]["salesOrderId"]) == (200, order.order_id)
    assert set(reply) == {"requestId", "code", "developId", "msg", "data"}


async def test_taobao_logistics_are_asked_for_by_line_and_not_by_order(
    platform: SimulatedPlatform, http: httpx2.AsyncClient
) -> None:
    order = shipped(platform, "taobao")[0]
    path = "/v2/taobao/order/logistics/detail/get?subPurchaseOrderId="
    assert (await get(platform, http, path + order.line_ids[0]))["code"] == 200
    assert (await get(platform, http, path + order.order_id))["code"] == 404


async def test_an_order_of_the_other_channel_is_not_there(
    platform: SimulatedPlatform, http: httpx2.AsyncClient
) -> None:
    order_id = shipped(platform, "taobao")[0].order_id
    path = f"/v2/alibaba/order/logistics/trace?orderId={order_id}"
    assert (await get(platform, http, path))["code"] == 404


async def test_one_parcel_can_be_asked_for(
    platform: SimulatedPlatform, http: httpx2.AsyncClient
) -> None:
    order = shipped(platform, "1688")[0]
    assert order.parcel is not None
    path = f"/v2/alibaba/order/logistics/trace?orderId={order.order_id}&logisticsId="
    assert len((await get(platform, http, path + order.parcel.logistics_id))["data"]) == 1
    assert (await get(platform, http, path + "LP1"))["data"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "0" * 32},
        {"signature": ""},
        {"access-key": "other"},
        {"nonce-str": "short"},
        {"timestamp": "letters"},
    ],
    ids=lambda changes: "-".join(f"{k}={v[:7]}" for k, v in changes.items()),
)
async def test_a_call_that_is_not_signed_right_is_refused(
    platform: SimulatedPlatform, http: httpx2.AsyncClient, changes: dict[str, str]
) -> None:
    order = shipped(platform, "1688")[0]
    path = f"/v2/alibaba/order/logistics/trace?orderId={order.order_id}"
    reply = await get(platform, http, path, **changes)
    assert (reply["code"], reply["data"]) == (401, None)


@pytest.mark.parametrize("off_s", [-700, 700])
async def test_a_call_of_another_time_is_refused(
    platform: SimulatedPlatform, http: httpx2.AsyncClient, off_s: int
) -> None:
    order = shipped(platform, "1688")[0]
    path = f"/v2/alibaba/order/logistics/trace?orderId={order.order_id}"
    reply = await get(platform, http, path, timestamp=str(int((time.time() + off_s) * 1000)))
    assert (reply["code"], reply["data"]) == (401, None)


async def test_a_good_signature_under_another_access_key_is_refused(
    platform: SimulatedPlatform, http: httpx2.AsyncClient
) -> None:
    order = shipped(platform, "1688")[0]
    url = f"{platform.api_url}/v2/alibaba/order/logistics/trace?orderId={order.order_id}"
    reply = (await http.get(url, headers=signed() | {"access-key": "other"})).json()
    assert (reply["code"], reply["msg"]) == (401, "unknown access-key")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"webSite": "1688", "orderId": 1}', b'{"orderId": "1"}'],
)
async def test_a_request_that_lacks_what_the_page_asks_for_is_told_so(
    platform: SimulatedPlatform, http: httpx2.AsyncClient, body: bytes
) -> None:
    url = f"{platform.api_url}/v2/alibaba/order/detail"
    reply = (await http.post(url, content=body, headers=signed())).json()
    assert (reply["code"], reply["data"]) == (400, None)
