"""The rows of the client are those of the pages: none is missing, none says more than they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest

from receiver.client.calls.registry import CALLS, ENDPOINTS, GROUPS
from receiver.client.endpoint import Certainty, Edition, Route
from receiver.client.platform import PlatformAPI
from receiver.errors import APIRejectedError, InvalidRequestError
from tests.client.conftest import Platform, settings_of
from tests.every import every
from tests.pages import ROOT, anchors, fault_of

PAGES = ("calls-goods", "calls-orders", "calls-carts", "after-sales", "logistics")
MARKS: dict[str, Certainty] = {
    "D": "documented",
    "O": "client code",
    "U": "upstream",
    "I": "inferred",
    "?": "unknown",
}
EDITIONS: tuple[Edition, ...] = ("v1", "v2", "ka")
IN_PROSE = {"warehouse_report_inbound"}
"""Rows that a sentence of the page describes, and no table."""
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_MENU = re.compile(r"^\| (?:row|call) \|(.+)\|\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
_BY_EDITION = re.compile(r"^\| edition \| call \| mark \|\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)
_PATH = re.compile(r"`(/[^`?]*)[^`]*`[^*]*\*\*(.)\*\*")

Cells = dict[str, str]


def cells(line: str) -> list[str]:
    return [_LINK.sub(r"\1", cell).strip() for cell in line.strip("|\n").split("|")]


def sections() -> Iterator[tuple[str, str]]:
    """The place of every section of the pages, as it is cited, and its text."""
    for name in PAGES:
        page = (ROOT / "docs" / "platform" / f"{name}.md").read_text(encoding="utf-8")
        for part in _HEADING.split(page)[1:]:
            if "\n" not in part:
                place = f"docs/platform/{name}.md#{anchors(f'# {part}').pop()}"
            else:
                yield place, part


def menu() -> Iterator[tuple[str, str, Cells]]:
    """Every row of a table by edition: where it stands, its title, its cells by edition."""
    for place, text in sections():
        for head, body in _MENU.findall(text):
            for line in body.splitlines():
                title, *row = cells(line)
                yield place, title, dict(zip(cells(head), row, strict=False))


ROWS = list(menu())
BY_ROW = {(row.source, row.row): row for row in ENDPOINTS.values()}


def expected(cell: str) -> tuple[str | None, str | None, Certainty] | None:
    """Method, path and certainty of a cell; None where the edition has no such call."""
    if not cell or cell.startswith("none"):
        return None
    found = _PATH.search(cell)
    method = next((word for word in ("GET", "POST") if cell.startswith(word)), None)
    return (method, found[1], MARKS[found[2]]) if found else (method, None, "unknown")


def agrees(route: Route | None, stated: tuple[str | None, str | None, Certainty] | None) -> bool:
    if route is None or stated is None:
        return route is None and stated is None
    method, path, certainty = stated
    return (
        method in {None, route.method}
        and path in {None, route.path}
        and certainty == route.certainty
    )


@every(ROWS)
def test_a_row_of_the_pages_is_one_of_the_client(listed: tuple[str, str, Cells]) -> None:
    place, title, row = listed
    routes = BY_ROW[place, title].routes
    if row.get("v1") == "none" and "XP" in row and "/" in row["XP"]:
        row = row | {"v1": row["XP"]}  # the paths of Xportcn are those of edition v1

    for edition in EDITIONS:
        if edition in row:
            stated = expected(row[edition])
            assert agrees(routes.get(edition), stated), (edition, routes.get(edition), stated)


def test_many_rows_are_found() -> None:
    assert len(ROWS) > 70
    assert len({(place, title) for place, title, _ in ROWS}) == len(ROWS)


def test_a_row_of_the_client_is_on_a_page() -> None:
    menu_rows = {(place, title) for place, title, _ in ROWS}
    by_edition = {place for place, text in sections() if _BY_EDITION.search(text)}
    known = {
        name
        for name, row in ENDPOINTS.items()
        if (row.source, row.row) in menu_rows or row.source in by_edition
    }

    assert set(ENDPOINTS) - known == IN_PROSE


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("docs/platform/calls-goods.md#openuid-to-wangwang", "alibaba_orders_decrypt_open_uid"),
        ("docs/platform/logistics.md#taobao-tracking", "taobao_orders_logistics"),
    ],
)
def test_a_table_of_one_call_agrees_too(place: str, name: str) -> None:
    (body,) = _BY_EDITION.findall(dict(sections())[place])
    for line in body.splitlines():
        edition, call, mark = cells(line)
        if edition in EDITIONS:
            stated = expected(f"{call} {mark}")
            assert agrees(ENDPOINTS[name].routes[edition], stated), edition


@every(ENDPOINTS)
def test_the_source_of_a_row_is_a_heading_of_a_page(name: str) -> None:
    assert fault_of(ENDPOINTS[name].source, ROOT) is None


async def test_every_row_is_a_method_by_its_name() -> None:
    async with PlatformAPI.open(settings_of("https://platform.test")) as api:
        for place, group in GROUPS.items():
            held: object = api
            for part in place.split("."):
                held = getattr(held, part)
            assert isinstance(held, group)
            for call in group.calls:
                method = getattr(held, call.method)
                assert call.endpoint.name == f"{place.replace('.', '_')}_{call.method}"
                assert (method.__name__, method.__doc__) == (call.method, call.endpoint.summary)


def test_what_may_not_be_repeated_is_marked() -> None:
    reads = {name for name, row in ENDPOINTS.items() if not row.changes_state}

    assert len(CALLS) == len(ENDPOINTS) == 76
    writing = re.compile("_(create|pay|cancel|submit|add|save|upload|book|delete|edit)(_|$)")
    assert not set(filter(writing.search, reads))
    assert ENDPOINTS["taobao_refunds_cancel"].routes["v2"].method == "GET"


VALUES: dict[str, Any] = {
    "address_param": {},
    "apply_carriage": 0,
    "apply_payment": 1,
    "cargo_param_list": [{"offer_map_id": "A", "quantity": 1}],
    "description": "ab",
    "dispute_request": "refund",
    "goods_status": "refundBuyerReceived",
    "image_data": b"\xff\xd8\xff",
    "order_line_list": [
        {"item_id": "1", "order_line_no": "1", "quantity": 1, "price": 1, "sku_id": "1"}
    ],
    "parameters": {},
    "params": [{"item_id": "1"}],
    "purchase_amount": 1,
    "quantity": 1,
    "reason_id": 1,
    "receiver": {"address": "a", "name": "n"},
    "receiver_address": {"address": "a", "name": "n"},
    "refund_fee": 1,
    "refund_type": 1,
    "render_item_list": [{"item_id": "1", "quantity": 1, "sku_id": "1"}],
}
OTHERS: dict[str, dict[str, Any]] = {
    "alibaba_products_search_image": {"image_base64": "x"},
    "taobao_refunds_render": {"goods_status": 1},
    "taobao_refunds_submit": {"goods_status": 1},
    "warehouse_estimate_freight": {
        "receiver_address": dict.fromkeys(
            ("name", "address", "country", "city", "zip", "state"), "x"
        )
    },
}


def arguments(name: str) -> dict[str, Any]:
    """Something for everything that a call requires."""
    given: dict[str, Any] = {}
    for parameter in CALLS[name].parameters():
        if parameter.default is parameter.empty:
            is_list = str(parameter.annotation).startswith(("list", "Annotated[list", "CartIds"))
            given[parameter.name] = VALUES.get(parameter.name, ["1"] if is_list else "1")
    return given | OTHERS.get(name, {})


@pytest.mark.parametrize("edition", EDITIONS)
async def test_every_row_is_sent_to_its_path(platform: Platform, edition: Edition) -> None:
    platform.reply({"success": False, "errorCode": "E1", "errorMsg": "no"})
    async with PlatformAPI.open(settings_of(platform.url, edition=edition)) as api:
        for name, call in CALLS.items():
            group = next(place for place, held in GROUPS.items() if call in held.calls)
            method = getattr(attrgetter(group)(api), call.method)
            route = call.endpoint.routes.get(edition)
            with pytest.raises(APIRejectedError) as caught:
                await method(**arguments(name))
            if route is None:
                assert type(caught.value) is InvalidRequestError
                assert f"edition {edition!r}" in str(caught.value)
                continue
            assert (caught.value.code, caught.value.reason) == ("E1", "no")
            asked = platform.asked[-1]
            path = route.path.replace("{refundId}", "1")
            assert (asked.method, asked.path) == (route.method, path), name
    served = [call for call in CALLS.values() if edition in call.endpoint.routes]
    assert len(platform.asked) == len(served)
