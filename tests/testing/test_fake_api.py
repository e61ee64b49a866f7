"""The API that a test answers: by samples, by a recording, by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from receiver.client.calls.registry import CALLS
from receiver.client.platform import PlatformAPI
from receiver.client.recording import recording
from receiver.client.replies import Reply
from receiver.errors import (
    APIRejectedError,
    APIUnavailableError,
    InvalidRequestError,
    OutcomeUnknownError,
    RecordingError,
)
from receiver.event import Event
from receiver.testing import Kit, make_event
from receiver.testing.fake_api import FakeAPI
from receiver.worker.interface import Context
from schemas.api.alibaba_order_detail import AlibabaOrderDetail, OrderHead, OrderPage
from schemas.api.alibaba_orders import AddressParam, CargoParam, OrderDetailRequest
from schemas.api.alibaba_products import Category
from schemas.api.taobao_orders import PurchaseLine, TaobaoAddress
from schemas.api.taobao_products import CheckedItem
from schemas.events import OrderCreated, OrderSynced
from schemas.statuses import OrderStatus
from tests.client.conftest import settings_of
from tests.simulator.test_rows import SAMPLE_OF

SAMPLES = Path(__file__).parents[1] / "fixtures" / "api"
ORDER_ID = "2745812000123456789"
HOME = AddressParam(full_name="测试", mobile="13800000000", address="示例路1号")
RECEIVER = TaobaoAddress(name="测试", mobile_phone="13800000000", address="示例路1号")


def detail(status: str) -> AlibabaOrderDetail:
    return AlibabaOrderDetail(base_info=OrderHead(id=ORDER_ID, status=status))


async def test_a_row_is_answered_with_the_model_that_was_given() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, detail("success"))
    assert (await api.alibaba.orders.detail(ORDER_ID)) == detail("success")
    (asked,) = api.asked
    assert (asked.row, asked.request) == ("alibaba.orders.detail", OrderDetailRequest(ORDER_ID))
    assert asked.error is None


@pytest.mark.parametrize("row", ["alibaba.orders.detail", "alibaba_orders_detail"])
async def test_a_row_may_be_named(row: str) -> None:
    api = FakeAPI()
    api.answer(row, detail("success"))
    assert (await api.alibaba.orders.detail(ORDER_ID)) == detail("success")


async def test_answers_are_given_in_turn_and_the_last_one_stays() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, detail("waitbuyerpay"), detail("success"))
    read = [(await api.alibaba.orders.detail(ORDER_ID)).base_info for _ in range(3)]
    assert [head and head.status for head in read] == ["waitbuyerpay", "success", "success"]


async def test_an_answer_may_be_made_of_the_request() -> None:
    def made(request: OrderDetailRequest) -> AlibabaOrderDetail:
        return AlibabaOrderDetail(base_info=OrderHead(id=request.order_id))

    api = FakeAPI()
    api.answer(api.alibaba.orders.detail, made)
    assert (await api.alibaba.orders.detail("7")).order_id == "7"


async def test_the_data_of_a_reply_is_read_as_a_real_one() -> None:
    api = FakeAPI()
    api.answer("alibaba.orders.detail", {"baseInfo": {"id": 7, "status": "success"}})
    api.answer("alibaba.orders.cancel", {"success": False, "errorCode": "ORDER_NOT_EXIST"})
    read = await api.alibaba.orders.detail("7")
    assert read.base_info is not None
    assert read.base_info.our_status is OrderStatus.COMPLETED
    with pytest.raises(APIRejectedError, match="no such order"):
        await api.alibaba.orders.cancel("7")


async def test_an_exception_is_raised_and_noted() -> None:
    api = FakeAPI()
    error = APIUnavailableError("away")
    api.answer(api.alibaba.orders.detail, error)
    with pytest.raises(APIUnavailableError, match="away"):
        await api.alibaba.orders.detail(ORDER_ID)
    assert api.asked[0].error is error


async def test_an_unknown_outcome_is_settled_by_the_row_that_shows_it() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.orders.cancel, OutcomeUnknownError("no answer"))
    api.answer(api.alibaba.orders.detail, detail("cancel"))
    with pytest.raises(OutcomeUnknownError) as raised:
        await api.alibaba.orders.cancel(ORDER_ID)
    settled = await api.alibaba.orders.settle(raised.value)
    assert settled.verdict == "done"
    assert [asked.row for asked in api.asked] == ["alibaba.orders.cancel", "alibaba.orders.detail"]


async def test_a_list_of_pages_is_answered_by_its_page() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.orders.list, OrderPage(items=(detail("success"),)))
    found = [order async for order in api.alibaba.orders.list().all()]
    assert found == [detail("success")]


async def test_a_list_is_answered_by_its_rows_and_by_none() -> None:
    api = FakeAPI()
    api.answer(api.alibaba.refunds.carriers, [], [api.sample(api.alibaba.refunds.carriers)[0]])
    counts = [len(await api.alibaba.refunds.carriers()) for _ in range(2)]
    assert counts == [0, 1]


async def test_a_call_without_an_answer_says_what_to_write() -> None:
    api = FakeAPI()
    with pytest.raises(
        RecordingError, match=r"api\.answer\(api\.alibaba\.orders\.detail, AlibabaOrderDetail\("
    ):
        await api.alibaba.orders.detail(ORDER_ID)


def test_an_answer_of_another_row_is_refused() -> None:
    api = FakeAPI()
    with pytest.raises(RecordingError, match="gives AlibabaOrderDetail, not Category"):
        api.answer("alibaba.orders.detail", Category())


def test_a_row_that_there_is_not_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(RecordingError, match=r"did you mean .*alibaba\.orders\.detail"):
        FakeAPI().answer("alibaba.order.detail", {})
    with pytest.raises(RecordingError, match=r"docs/api\.md"):
        FakeAPI().answer("zzzz", {})


async def test_a_request_is_checked_as_by_the_real_one() -> None:
    api = FakeAPI.of_samples()
    with pytest.raises(InvalidRequestError):
        await api.alibaba.orders.detail("")
    assert api.asked == []


async def test_samples_answer_whatever_is_asked_and_an_answer_goes_before_them() -> None:
    api = FakeAPI.of_samples()
    sample = await api.alibaba.orders.detail(ORDER_ID)
    api.answer(api.alibaba.orders.detail, sample.model_copy(update={"base_info": None}))
    assert sample.base_info is not None
    assert (await api.alibaba.orders.detail(ORDER_ID)).base_info is None
    with pytest.raises(RecordingError, match="no example"):
        await api.alibaba.refunds.detail("1")


REFUSED = {"alibaba_orders_confirm_receipt", "alibaba_refunds_submit_return"}
"""The pages show no reply of these but a refusal, which is no answer to begin with."""


@pytest.mark.parametrize("row", sorted(SAMPLE_OF.keys() - REFUSED))
def test_a_sample_is_that_of_the_pages(row: str) -> None:
    file = (SAMPLES / f"{SAMPLE_OF[row]}.json").read_text(encoding="utf-8")
    api = FakeAPI()
    sample: Any = api.sample(row)
    call = CALLS[row]
    assert sample == call.read(Reply(call.endpoint, json.loads(file)["reply"]["data"]))


async def test_a_recording_answers_and_what_it_lacks_is_answered_by_the_test(
    tmp_path: Path,
) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        data = {"baseInfo": {"idOfStr": "7", "status": "success"}}
        return httpx2.Response(200, json={"code": 200, "data": data})

    file = tmp_path / "order.jsonl"
    api = PlatformAPI.open(
        settings_of("https://platform.test"), transport=httpx2.MockTransport(answer)
    )
    with recording(api, file):
        await api.alibaba.orders.detail("7")
    replayed = FakeAPI.replaying(file)
    replayed.answer(replayed.alibaba.orders.cancel, OutcomeUnknownError("no answer"))
    async with replayed as api:
        assert (await api.alibaba.orders.detail("7")).order_id == "7"
        with pytest.raises(OutcomeUnknownError):
            await api.alibaba.orders.cancel("7")
    assert [asked.row for asked in replayed.asked] == [
        "alibaba.orders.detail",
        "alibaba.orders.cancel",
    ]


async def test_what_is_asked_is_typed_where_the_page_wants_json_as_text() -> None:
    api = FakeAPI()
    line = PurchaseLine(item_id="1", order_line_no="1", sku_id="2", quantity=3, price=5)
    item = CheckedItem(item_id="1")
    api.answer("taobao.orders.create", APIUnavailableError("away"))
    api.answer("taobao.products.check_batch", APIUnavailableError("away"))
    with pytest.raises(APIUnavailableError):
        await api.taobao.orders.create(
            purchase_amount=1500, receiver=RECEIVER, order_line_list=[line]
        )
    with pytest.raises(APIUnavailableError):
        await api.taobao.products.check_batch([item])
    created, checked = api.asked
    assert created.request.receiver == RECEIVER
    assert created.request.order_line_list == [line]
    assert checked.request.params == [item]


async def test_a_request_of_objects_is_typed() -> None:
    api = FakeAPI.of_samples()
    cargo = CargoParam(offer_map_id="AbC", spec_id="s", quantity=2)
    await api.alibaba.orders.create(flow="general", address_param=HOME, cargo_param_list=[cargo])
    (asked,) = api.asked
    assert (asked.request.address_param, asked.request.cargo_param_list) == (HOME, [cargo])


async def test_a_run_says_what_it_asked() -> None:
    async def sync(event: Event[OrderCreated], ctx: Context) -> OrderSynced:
        await ctx.api.alibaba.orders.detail(ORDER_ID)
        return OrderSynced(channel="1688", order_id=event.order_id)

    kit = Kit(sync, api=FakeAPI.of_samples())
    created = make_event(OrderCreated(channel="1688", order_id=ORDER_ID), origin="replay")
    first, second = await kit.run(created), await kit.run(created)
    for ran in (first, second):
        assert [asked.request for asked in ran.asked] == [OrderDetailRequest(ORDER_ID)]
