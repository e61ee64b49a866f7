"""A list in pages: the one page, and all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receiver.client.platform import PlatformAPI
from receiver.errors import APIUnavailableError, InvalidRequestError
from tests.client.conftest import Platform


def serve(platform: Platform, *pages: dict[str, Any] | list[Any]) -> None:
    """Answer each page number with its page, and every later one with the last."""

    async def answering(request: Request) -> Response:
        number = json.loads(await request.body())["beginPage"]
        page = pages[min(number, len(pages)) - 1]
        return JSONResponse({"code": 200, "data": page})

    platform.answering = answering


def page(ids: range | list[int], **numbers: int) -> dict[str, Any]:
    return numbers | {"data": [{"offerMapId": f"o{number}"} for number in ids]}


async def all_ids(api: PlatformAPI, limit: int | None = None, first: int = 1) -> list[int]:
    search = api.alibaba.products.search_store(seller_open_id="s", begin_page=first, page_size=2)
    return [int((offer.offer_map_id or "")[1:]) async for offer in search.all(limit=limit)]


def asked_pages(platform: Platform) -> list[int]:
    return [json.loads(asked.body)["beginPage"] for asked in platform.asked]


async def test_the_example_of_the_menu_is_sent_and_read(
    platform: Platform, api: PlatformAPI
) -> None:
    offer = {
        "imageUrl": "https://cbu01.alicdn.com/img/ibank/example.jpg",
        "subject": "包",
        "subjectTrans": "Bag",
        "offerMapId": "AbC",
        "isJxhy": False,
        "repurchaseRate": "0%",
        "monthSold": 2065,
        "isOnePsale": True,
        "priceInfo": {
            "price": "25.00",
            "jxhyPrice": None,
            "pfJxhyPrice": None,
            "consignPrice": "29",
        },
    }
    dear = offer | {"priceInfo": {"price": "25.00", "consignPrice": None}}
    numbers = {"totalRecords": 323, "totalPage": 65, "pageSize": 5, "currentPage": 1}
    platform.reply(numbers | {"data": [offer, dear, offer, offer, offer]})

    read = await api.alibaba.products.search_store(
        keyword="包", begin_page=1, page_size=5, country="en", seller_open_id="BBB-s"
    )

    asked = platform.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v2/alibaba/product/query/selleroffer")
    assert asked.body.decode() == (
        '{"keyword":"包","beginPage":1,"pageSize":5,"country":"en","sellerOpenId":"BBB-s"}'
    )
    assert (read.total_records, read.total_page, len(read.items)) == (323, 65, 5)
    first = read.items[0]
    assert (first.repurchase_rate, first.month_sold) == ("0%", 2065)
    assert first.price_info is not None
    assert (str(first.price_info.price), str(first.price_info.consign_price)) == (
        "25.00 CNY",
        "29.00 CNY",
    )
    assert (first.price_info.jxhy_price, first.price_info.pf_jxhy_price) == (None, None)
    assert read.items[1].price_info is not None
    assert read.items[1].price_info.consign_price is None


async def test_all_goes_on_until_a_short_page(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, page([1, 2]), page([3, 4]), page([5]), page([6, 7]))

    assert await all_ids(api) == [1, 2, 3, 4, 5]
    assert [json.loads(asked.body) for asked in platform.asked] == [
        {"beginPage": number, "pageSize": 2, "country": "en", "sellerOpenId": "s"}
        for number in (1, 2, 3)
    ]


async def test_all_goes_on_until_an_empty_page(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, page([1, 2]), [])

    assert await all_ids(api) == [1, 2]


async def test_a_page_that_comes_again_is_the_end(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, page([1, 2]), page([3, 4]))

    assert await all_ids(api) == [1, 2, 3, 4]
    assert asked_pages(platform) == [1, 2, 3]


async def test_what_moved_to_the_next_page_is_given_once(
    platform: Platform, api: PlatformAPI
) -> None:
    serve(platform, page([1, 2]), page([2, 3]), page([4]))

    assert await all_ids(api) == [1, 2, 3, 4]


async def test_the_last_page_by_its_number_is_the_end(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, page([1, 2], totalPage=2), page([3, 4], totalPage=2), page([5, 6]))

    assert await all_ids(api) == [1, 2, 3, 4]
    assert asked_pages(platform) == [1, 2]


async def test_a_total_that_shrinks_is_the_end(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, page([1, 2], totalRecords=90), page([3, 4], totalRecords=4), page([5, 6]))

    assert await all_ids(api) == [1, 2, 3, 4]
    assert asked_pages(platform) == [1, 2]


async def test_a_page_size_that_the_platform_cuts_is_no_short_page(
    platform: Platform, api: PlatformAPI
) -> None:
    serve(platform, page([1], pageSize=1), page([2], pageSize=1), page([], pageSize=1))

    assert await all_ids(api) == [1, 2]


async def test_a_limit_asks_for_no_page_more_than_it_needs(
    platform: Platform, api: PlatformAPI
) -> None:
    serve(platform, page([1, 2]), page([3, 4]), page([5, 6]))

    assert await all_ids(api, limit=4) == [1, 2, 3, 4]
    assert asked_pages(platform) == [1, 2]


async def test_all_begins_at_the_page_that_was_asked_for(
    platform: Platform, api: PlatformAPI
) -> None:
    serve(platform, page([1, 2]), page([3, 4], totalRecords=5), page([5], totalRecords=5))

    assert await all_ids(api, first=2) == [3, 4, 5]
    assert asked_pages(platform) == [2, 3]


async def test_items_without_an_id_are_compared_by_all_they_hold(
    platform: Platform, api: PlatformAPI
) -> None:
    rows = [{"subject": name} for name in "abc"]
    serve(platform, {"data": rows[:2]}, {"data": rows[2:]})

    search = api.alibaba.products.search_store(seller_open_id="s", page_size=2)
    assert [offer.subject async for offer in search] == ["a", "b", "c"]


async def test_equal_items_of_one_page_are_all_given(platform: Platform, api: PlatformAPI) -> None:
    serve(platform, {"data": [{"subject": "a"}, {"subject": "a"}]}, {"data": []})

    search = api.alibaba.products.search_store(seller_open_id="s", page_size=2)
    assert [offer.subject async for offer in search.all()] == ["a", "a"]


async def test_a_fault_of_a_later_page_is_raised_there(
    platform: Platform, api: PlatformAPI
) -> None:
    async def answering(request: Request) -> Response:
        if json.loads(await request.body())["beginPage"] == 2:
            return Response("", 500)
        return JSONResponse({"code": 200, "data": page([1, 2])})

    platform.answering = answering
    offers = api.alibaba.products.search_store(seller_open_id="s", page_size=2).all()

    assert [(await anext(offers)).offer_map_id for _ in range(2)] == ["o1", "o2"]
    with pytest.raises(APIUnavailableError):
        await anext(offers)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_is_at_least_one(api: PlatformAPI, limit: int) -> None:
    with pytest.raises(InvalidRequestError, match="limit"):
        await all_ids(api, limit=limit)
