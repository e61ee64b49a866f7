"""The rows in the shell: the list, one row, the options of its command, completion."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from typer.models import OptionInfo

from receiver.cli.api.call import parameters_of
from receiver.cli.api.fields import fields_of, values_of
from receiver.cli.api.rows import ROWS, reply_fields
from receiver.client.call import AnyCall
from receiver.client.calls.registry import CALLS, resolve_routes
from receiver.errors import ConfigurationError
from schemas.api.alibaba_order_detail import AlibabaOrderDetail
from schemas.api.alibaba_products import Category
from tests.cli.conftest import Yizhan

ACCOUNT = '[api]\naccess_key = "k"\nsecret = "s"\nedition = "ka"\n'


async def test_the_list_has_every_row_with_the_path_of_the_edition(yizhan: Yizhan) -> None:
    listed = json.loads((await yizhan.run("api", "--json")).out)
    routes = resolve_routes("v2", {})
    assert [row["row"] for row in listed] == list(ROWS)
    assert len(listed) == len(CALLS)
    for row, call in zip(listed, CALLS.values(), strict=True):
        route = routes.get(call.endpoint.name)
        assert row == {
            "row": row["row"],
            "summary": call.endpoint.summary,
            "changes_state": call.endpoint.changes_state,
            "certainty": route and route.certainty,
            "method": route and route.method,
            "path": route and route.path,
        }


async def test_the_list_follows_the_settings(yizhan: Yizhan) -> None:
    paths = '[api.paths]\nalibaba_orders_create = "/mine"\n'
    (yizhan.directory / "yizhan.toml").write_text(ACCOUNT + paths)
    text = (await yizhan.run("api")).out
    assert text.startswith("edition ka; ")
    lines = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert "changes  documented   POST /mine" in lines["alibaba.orders.create"]
    assert "not in this edition" in lines["alibaba.orders.cancel"]


async def test_one_row_is_shown_with_fields_limits_refusals_and_reply(yizhan: Yizhan) -> None:
    shown = await yizhan.run("api", "show", "alibaba.orders.cancel")
    assert (shown.code, shown.err) == (0, "")
    for part in (
        "POST /v2/alibaba/order/cancel (documented)",
        "changes state",
        "limit: not in the first 10 s",
        "  --order-id                 TEXT           required",
        "  CLOSE_ORDER_TOO_FAST       the order is younger than 10 s",
        "reply: Confirmation (object, documented)",
        "  success: bool",
    ):
        assert part in shown.out
    as_json = json.loads((await yizhan.run("api", "show", "taobao.orders.list", "--json")).out)
    assert as_json["reply"]["form"] == "pages"
    assert isinstance(as_json["reply"]["fields"]["items"], list)


async def test_a_wrong_row_gets_a_suggestion(yizhan: Yizhan) -> None:
    shown = await yizhan.run("api", "show", "alibaba.orders.cancle")
    assert (shown.code, "did you mean alibaba.orders.cancel" in shown.err) == (2, True)
    called = await yizhan.run("api", "call", "alibaba.orders.cancle", COLUMNS="200")
    assert (called.code, "Did you mean 'alibaba.orders.cancel'" in called.err) == (2, True)


def test_every_field_of_a_row_is_an_option_of_its_own() -> None:
    for name, call in ROWS.items():
        options = list(options_of(call))
        assert len(set(options)) == len(options), name
        names = [each.name for each in call.parameters()]
        assert [f"--{name.replace('_', '-')}" for name in names] == options[: len(names)]
        assert all(field.kind for field in fields_of(call))


def options_of(call: AnyCall) -> Iterator[str]:
    """What the options of the row's command are called."""
    for parameter in parameters_of(call)[1:]:
        for part in get_args(parameter.annotation):
            if isinstance(part, OptionInfo):
                yield str(part.default)


def values(name: str, **given: str) -> dict[str, object]:
    return values_of(ROWS[name], given)


def test_a_value_is_read_by_the_kind_of_its_field(tmp_path: Path) -> None:
    (tmp_path / "cargo.json").write_text('[{"offer_map_id": "A", "quantity": 1}]\n')
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    read = values(
        "alibaba.orders.create",
        flow="general",
        address_param='{"full_name": "n"}',
        cargo_param_list=f"@{tmp_path}/cargo.json",
    )
    assert read == {
        "flow": "general",
        "address_param": {"full_name": "n"},
        "cargo_param_list": [{"offer_map_id": "A", "quantity": 1}],
    }
    assert values("alibaba.refunds.upload_voucher", image_data=f"{tmp_path}/photo.jpg") == {
        "image_data": b"\xff\xd8\xff"
    }
    assert values("alibaba.refunds.create", apply_payment="100") == {"apply_payment": "100"}
    money = '{"amount": "1.00", "currency": "CNY"}'
    assert values("alibaba.refunds.create", apply_payment=money)["apply_payment"] == json.loads(
        money
    )
    ids = values("alibaba.orders.list", order_ids="[2700000000000000017]")
    assert ids == {"order_ids": [2700000000000000017]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cart_ids": "1,2"}, "--cart-ids: write JSON"),
        ({"cart_ids": "[1,"}, "--cart-ids: is no JSON"),
        ({"cart_ids": "@nowhere"}, "--cart-ids: nowhere: cannot be read: No such file"),
    ],
)
def test_a_value_that_cannot_be_read_names_its_option(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        values("alibaba.cart.preview", **given)


def test_the_rules_of_a_field_are_told() -> None:
    rules = {field.name: field.help for field in fields_of(ROWS["alibaba.products.related"])}
    assert rules["page_size"].startswith("from 1 to 10 (the upstream's limit")
    assert rules["page_no"] == "at least 1; default 1"
    hot = {field.name: field.help for field in fields_of(ROWS["alibaba.refunds.create"])}
    assert hot["goods_status"].startswith("one of refundWaitSellerSend, ")


def test_the_fields_of_a_reply_are_told_to_every_depth() -> None:
    fields = reply_fields(AlibabaOrderDetail)
    assert fields["base_info"]["total_amount"] == "money"
    assert fields["product_items"][0]["sub_item_id"] == "str"
    assert reply_fields(Category)["children"] == ["Category"]


async def test_rows_and_fields_are_completed(yizhan: Yizhan) -> None:
    async def completed(words: str) -> list[str]:
        completing = {
            "_YIZHAN_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("yizhan"),
            env=yizhan.environ(**completing),
            stdout=asyncio.subprocess.PIPE,
        )
        return (await process.communicate())[0].decode().split()

    assert await completed("yizhan api call alibaba.orders.ca") == ["alibaba.orders.cancel"]
    assert await completed("yizhan api show alibaba.orders.ca") == ["alibaba.orders.cancel"]
    fields = await completed("yizhan api call alibaba.products.search_store --page")
    assert fields == ["--page-size"]
    assert await completed("yizhan simul") == ["simulate"]
