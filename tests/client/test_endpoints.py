"""Paths by edition and setting, and what of a request goes where."""

from __future__ import annotations

import pytest

from receiver.client.calls.registry import CALLS, resolve_routes
from receiver.client.endpoint import Endpoint, Outgoing, Route, outgoing
from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError, ConfigurationError, InvalidRequestError
from schemas.api.alibaba_orders import OrderCancelRequest
from tests.client.conftest import Platform, settings_of

ROW = Endpoint("", {}, source="", row="", reply="unknown", name="row")
GET = Route("documented", "GET", "/cases/{refundId}")
POST = Route("documented", "POST", "/orders")


def test_an_override_wins_in_every_edition() -> None:
    routes = resolve_routes("ka", {"taobao_orders_logistics": "/mine"})

    assert routes["taobao_orders_logistics"] == Route("documented", "GET", "/mine")


def test_the_method_is_that_of_the_edition() -> None:
    name = "alibaba_orders_payment_url"

    assert [resolve_routes(edition, {})[name].method for edition in ("v1", "v2", "ka")] == [
        *("GET", "GET", "POST")
    ]


def test_an_override_of_an_unknown_name_gives_those_that_are_near() -> None:
    with pytest.raises(ConfigurationError) as caught:
        PlatformAPI.open(settings_of("https://platform.test", paths={"orders_logistic": "/x"}))

    assert "api.paths.orders_logistic: no such call" in str(caught.value)
    assert "alibaba_orders_logistics" in str(caught.value)
    assert "docs/api.md" in str(caught.value)


@pytest.mark.parametrize(
    "path", ["", "v2/x", "https://other.test/x", "/x?y=1", "/x#y", "/x y", "/x\n"]
)
def test_an_override_that_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="begins with /"):
        resolve_routes("v2", {"alibaba_orders_detail": path})


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https://a.test/?x=1",
        "https://a.test#f",
        "https://u:p@a.test",
        "https://a b.test",
        "https://a.test:port",
        "http://[",
    ],
)
def test_a_base_url_that_cannot_be_used_is_told_at_the_start(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"api\.base_url"):
        PlatformAPI.open(settings_of(url))


@pytest.mark.parametrize(
    ("edition", "path"),
    [
        ("v1", "/alibaba/order/logistics/trace"),
        ("v2", "/v2/alibaba/order/logistics/trace"),
    ],
)
async def test_the_edition_picks_the_path(platform: Platform, edition: str, path: str) -> None:
    platform.reply([])

    async with PlatformAPI.open(settings_of(platform.url, edition=edition)) as api:
        await api.alibaba.orders.logistics("1")

    assert platform.asked[0].path == path


async def test_a_base_url_keeps_its_own_path(platform: Platform) -> None:
    platform.reply([])
    paths = {"alibaba_orders_logistics": "/traces"}

    async with PlatformAPI.open(settings_of(f"{platform.url}/api/", paths=paths)) as api:
        await api.alibaba.orders.logistics("1")

    assert platform.asked[0].path == "/api/traces"


async def test_a_call_that_the_edition_lacks_names_row_and_edition(platform: Platform) -> None:
    async with PlatformAPI.open(settings_of(platform.url, edition="ka")) as api:
        with pytest.raises(InvalidRequestError, match=r"'ka'.*api\.paths\.alibaba_orders_cancel"):
            await api.alibaba.orders.cancel("1")

    assert platform.asked == []


async def test_a_path_that_is_a_guess_is_said_to_be_one(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send("", 404)

    with pytest.raises(APIRejectedError, match=r"is a guess.*alibaba_orders_logistics"):
        await api.alibaba.orders.logistics("1")
    with pytest.raises(APIRejectedError) as known:
        await api.taobao.orders.logistics("1")

    assert "guess" not in str(known.value)


def test_an_id_is_a_bare_integer_only_where_the_page_does_so() -> None:
    cancel = CALLS["alibaba_orders_cancel"].made("2019601741959504495")

    assert isinstance(cancel, OrderCancelRequest)
    assert cancel.order_id == "2019601741959504495"


def test_a_part_of_a_path_is_taken_out_of_the_query() -> None:
    going = outgoing(ROW, GET, {"refundId": "11", "deep": True})

    assert going == Outgoing("GET", "/cases/11", {"deep": "true"})


@pytest.mark.parametrize("value", ["", "..", "a/b", "a?b", "%2e", "订单", "a b"])
def test_a_part_of_a_path_leads_nowhere_else(value: str) -> None:
    with pytest.raises(InvalidRequestError, match="refundId"):
        outgoing(ROW, GET, {"refundId": value})


def test_bytes_are_sent_as_a_form() -> None:
    going = outgoing(ROW, POST, {"refundId": "1", "imageData": b"x"})

    assert (going.body, going.files) == ({"refundId": "1"}, {"imageData": b"x"})
