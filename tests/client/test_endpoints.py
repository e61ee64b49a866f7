"""Paths by edition and setting, and how ids are sent."""

from __future__ import annotations

import pytest

from receiver.client.calls.registry import ENDPOINTS, ORDER_LOGISTICS, resolve_paths
from receiver.client.endpoint import Endpoint
from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError, ConfigurationError
from tests.client.conftest import Platform, settings_of

CANCEL = Endpoint("cancel", "POST", {"v2": "/cancel"}, integers=frozenset({"orderId"}))


def test_every_endpoint_has_a_path_in_the_default_edition() -> None:
    assert set(resolve_paths("v2", {})) == set(ENDPOINTS)


def test_an_override_wins_in_every_edition() -> None:
    assert resolve_paths("ka", {"order_logistics": "/mine"})["order_logistics"] == "/mine"


def test_an_override_of_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        PlatformAPI.open(settings_of("https://platform.test", paths={"order_logistic": "/x"}))

    assert "api.paths.order_logistic:" in str(caught.value)
    for name in ENDPOINTS:
        assert name in str(caught.value)


@pytest.mark.parametrize(
    "path", ["", "v2/x", "https://other.test/x", "/x?y=1", "/x#y", "/x y", "/x\n"]
)
def test_an_override_that_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="begins with /"):
        resolve_paths("v2", {"order_detail": path})


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
        await api.alibaba.order_logistics("1")

    assert platform.asked[0].path == path


async def test_a_base_url_keeps_its_own_path(platform: Platform) -> None:
    platform.reply([])
    paths = {"order_logistics": "/traces"}

    async with PlatformAPI.open(settings_of(f"{platform.url}/api/", paths=paths)) as api:
        await api.alibaba.order_logistics("1")

    assert platform.asked[0].path == "/api/traces"


async def test_a_call_that_the_edition_lacks_says_what_to_set(platform: Platform) -> None:
    async with PlatformAPI.open(settings_of(platform.url, edition="ka")) as api:
        with pytest.raises(APIRejectedError, match=r"api\.paths\.order_logistics"):
            await api.alibaba.order_logistics("1")

    assert platform.asked == []


def test_an_id_is_a_bare_integer_only_where_the_table_says_so() -> None:
    arguments = CANCEL.arguments({"orderId": "2019601741959504495", "refundId": "12", "x": None})

    assert arguments == {"orderId": 2019601741959504495, "refundId": "12"}
    assert ORDER_LOGISTICS.arguments({"orderId": "12"}) == {"orderId": "12"}


@pytest.mark.parametrize("value", ["", "12a", "-1", " 1", "01", "1e3", "1.0", "١٢", "9" * 20])
def test_an_id_that_is_no_whole_number_is_not_sent_as_one(value: str) -> None:
    with pytest.raises(APIRejectedError, match="cancel: orderId must be a whole number"):
        CANCEL.arguments({"orderId": value})


def test_a_lone_surrogate_is_refused_before_it_is_sent() -> None:
    with pytest.raises(APIRejectedError, match="not valid text"):
        ORDER_LOGISTICS.arguments({"orderId": "\ud800"})
