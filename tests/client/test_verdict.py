"""The verdict within the data: what is a refusal, and what is a success in part."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.client.platform import PlatformAPI
from receiver.errors import (
    APIError,
    APIRejectedError,
    APIUnavailableError,
    OutcomeUnknownError,
)
from schemas.api.alibaba_order_creation import OrderCreation
from schemas.api.alibaba_orders import AddressParam, CargoParam
from tests.client.conftest import Platform

CARGO = [CargoParam(offer_map_id="A", quantity=1)]


async def create(api: PlatformAPI) -> OrderCreation:
    return await api.alibaba.orders.create(
        flow="general", address_param=AddressParam(), cargo_param_list=CARGO
    )


async def cancel_fault(api: PlatformAPI) -> APIError:
    with pytest.raises(APIError) as caught:
        await api.alibaba.orders.cancel("1")
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        {"success": False, "errorCode": "ORDER_NOT_EXIST", "errorInfo": "gone"},
        {"success": "false", "error_code": "ORDER_NOT_EXIST", "error_msg": "gone"},
        {"success": 0, "code": "ORDER_NOT_EXIST", "message": "gone"},
        {"errorCode": "ORDER_NOT_EXIST", "erroMsg": "gone"},
        {"biz_error_code": "ORDER_NOT_EXIST", "biz_error_msg": "gone"},
        {"result": {"success": False, "code": "ORDER_NOT_EXIST", "message": "gone"}},
        {"result": None, "success": False, "errorCode": "ORDER_NOT_EXIST", "errorMessage": "gone"},
        '{"success": false, "errorCode": "ORDER_NOT_EXIST", "errorInfo": "gone"}',
    ],
    ids=str,
)
async def test_a_refusal_has_both_codes_the_reason_and_its_meaning(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    error = await cancel_fault(api)

    assert type(error) is APIRejectedError
    assert (error.code, error.outer_code, error.request_id) == ("ORDER_NOT_EXIST", 200, "r-1")
    assert (error.reason, error.meaning) == ("gone", "no such order")
    assert str(error) == (
        "alibaba_orders_cancel: not done, error code ORDER_NOT_EXIST (no such order): gone"
    )


@pytest.mark.parametrize(
    "data", [False, "false", 0, {"result": False}, {"result": "false"}], ids=repr
)
async def test_a_bare_false_is_a_refusal(platform: Platform, api: PlatformAPI, data: Any) -> None:
    platform.reply(data)

    error = await cancel_fault(api)

    assert "error code unknown" in str(error)
    assert (error.code, error.outer_code) == (None, 200)


@pytest.mark.parametrize(
    "data",
    [
        True,
        "true",
        1,
        None,
        {},
        {"success": True, "errorCode": "0"},
        {"success": "true", "errorCode": "WARNING"},
        {"errorCode": "0", "errorMsg": ""},
        {"error_code": None},
        {"errorCode": "SUCCESS"},
    ],
    ids=str,
)
async def test_what_is_no_refusal_is_done(platform: Platform, api: PlatformAPI, data: Any) -> None:
    platform.reply(data)

    assert (await api.alibaba.orders.cancel("1")).success is not False


async def test_an_order_that_exists_is_no_refusal(platform: Platform, api: PlatformAPI) -> None:
    platform.reply({"success": False, "orderId": "27", "totalSuccessAmount": 100, "code": None})

    made = await create(api)

    assert (made.success, made.order_ids) == (False, ("27",))


async def test_a_batch_that_succeeds_in_part_is_a_reply(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply(
        {
            "success": False,
            "orderList": [
                {"orderId": "27", "success": True, "orderAmmount": 100},
                {"orderId": None, "success": False, "resultCode": "500_004", "message": "none"},
            ],
            "failedOfferList": [{"offerId": "6", "errorCode": "500_004"}],
        }
    )

    made = await api.alibaba.orders.create_batch(
        flow="general", address_param=AddressParam(), cargo_param_list=CARGO
    )

    assert made.order_ids == ("27",)
    assert made.order_list[1].result_code == "500_004"
    assert made.failed_offer_list[0].offer_id == "6"


@pytest.mark.parametrize(
    "data",
    [
        {"orderList": [{"success": False, "resultCode": "500_004", "message": "none left"}]},
        {"failedOfferList": [{"errorCode": "500_004", "errorMessage": "none left"}]},
        {
            "success": False,
            "failedOfferList": [{"errorCode": "500_004", "errorMessage": "none left"}],
        },
    ],
    ids=str,
)
async def test_a_list_of_refusals_alone_is_a_refusal(
    platform: Platform, api: PlatformAPI, data: Any
) -> None:
    platform.reply(data)

    with pytest.raises(APIRejectedError, match="not enough in stock") as caught:
        await create(api)

    assert (caught.value.code, caught.value.reason) == ("500_004", "none left")


async def test_an_order_that_cannot_be_paid_is_a_refusal(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply({"orderId": "27", "protocolPaySuccess": False, "cantPayOrderList": [27]})

    with pytest.raises(APIRejectedError):
        await api.alibaba.orders.payment_url("27")


async def test_orders_none_of_which_will_be_paid_are_a_refusal(
    platform: Platform, api: PlatformAPI
) -> None:
    failure = {"gspOrderId": 27, "errorCode": "E7", "errorMessage": "frozen"}
    platform.reply({"pay_failure_purchase_order_ids": ["27"], "pay_failed_results": [failure]})

    with pytest.raises(APIRejectedError) as caught:
        await api.taobao.orders.pay(["27"])

    assert (caught.value.code, caught.value.reason) == ("E7", "frozen")


async def test_a_cancel_that_says_so_itself_is_a_refusal(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply({"cancelSuccess": False, "refundOrderAggregate": {"refundOrder": {}}})

    with pytest.raises(APIRejectedError, match="taobao_refunds_cancel: not done"):
        await api.taobao.refunds.cancel("11")


@pytest.mark.parametrize("code", [0, 200])
async def test_an_address_is_stored_by_either_code(
    platform: Platform, api: PlatformAPI, code: int
) -> None:
    platform.send(f'{{"code": {code}, "msg": "success"}}')

    assert (await api.addresses.save(name="n")).success is None


@pytest.mark.parametrize("status", [500, 502, 408, 200])
async def test_a_call_that_may_have_been_carried_out_is_not_to_be_repeated(
    platform: Platform, api: PlatformAPI, status: int
) -> None:
    platform.send("<html>", status)

    with pytest.raises(APIUnavailableError) as caught:
        await create(api)
    with pytest.raises(APIUnavailableError) as of_a_read:
        await api.alibaba.orders.detail("1")

    assert (caught.value.retryable, of_a_read.value.retryable) == (False, True)


async def test_an_unreadable_reply_of_a_create_is_not_to_be_repeated(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply(7)

    with pytest.raises(APIUnavailableError) as caught:
        await create(api)

    assert not caught.value.retryable


async def test_a_change_whose_reply_holds_no_data_may_have_been_made(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply(None)

    with pytest.raises(OutcomeUnknownError, match=r"holds no data: it may have been carried out"):
        await create(api)
