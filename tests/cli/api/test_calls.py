"""Calls from the shell: what is printed, asked, recorded, and the exit code."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from receiver.signatures import xport_signature
from receiver.web.server import bind, serving
from tests.cli.conftest import Ended, Yizhan
from tests.client.conftest import Platform, settings_of
from yizhan.client import PlatformAPI
from yizhan.testing import ReplayTransport

ORDER_ID = "2700000000000000017"
DETAIL = {"baseInfo": {"idOfStr": ORDER_ID, "status": "waitsellersend", "buyerContact": None}}
SECRET = "s3cret-of-the-account"


@pytest.fixture(scope="module")
async def listening() -> AsyncIterator[Platform]:
    standing_in = Platform()
    route = Route("/{path:path}", standing_in.handle, methods=["GET", "POST"])
    async with serving(Starlette(routes=[route]), bind("127.0.0.1", 0)) as url:
        standing_in.url = url
        yield standing_in


@pytest.fixture
def platform(listening: Platform) -> Platform:
    listening.asked.clear()
    listening.reply(DETAIL)
    return listening


def account(platform: Platform) -> dict[str, str]:
    return {
        "YIZHAN_API__BASE_URL": platform.url,
        "YIZHAN_API__ACCESS_KEY": "AK",
        "YIZHAN_API__SECRET": SECRET,
        "YIZHAN_API__RATE_PER_S": "1000",
    }


async def api(yizhan: Yizhan, platform: Platform, *words: str) -> Ended:
    environ: dict[str, Any] = {**account(platform), "COLUMNS": "200"}
    ended = await yizhan.run("api", *words, **environ)
    assert "Traceback" not in ended.err
    assert SECRET not in ended.out + ended.err
    return ended


def asked(platform: Platform) -> Any:
    return json.loads(platform.asked[-1].body)


async def test_a_reply_is_printed_as_json(yizhan: Yizhan, platform: Platform) -> None:
    ended = await api(yizhan, platform, "call", "alibaba.orders.detail", "--order-id", ORDER_ID)
    assert (ended.code, ended.err) == (0, "")
    order = json.loads(ended.out)["base_info"]
    assert (order["id_of_str"], order["status"]) == (ORDER_ID, "waitsellersend")
    assert "buyer_contact" not in order
    assert asked(platform) == {"webSite": "1688", "orderId": ORDER_ID}


async def test_a_page_is_printed_and_all_pages_are_lines(
    yizhan: Yizhan, platform: Platform
) -> None:
    search = ("call", "alibaba.products.search_store", "--keyword", "包", "--page-size", "2")
    offers = [{"offerMapId": letter, "subject": "包"} for letter in "AB"]
    platform.reply({"totalPage": 1, "totalRecords": 2, "data": offers})
    page = await api(yizhan, platform, *search)
    assert [item["offer_map_id"] for item in json.loads(page.out)["items"]] == ["A", "B"]
    assert "包" in page.out
    every = await api(yizhan, platform, *search, "--all", "--limit", "1")
    assert [json.loads(line)["offer_map_id"] for line in every.out.splitlines()] == ["A"]
    assert list(asked(platform)) == ["keyword", "beginPage", "pageSize", "country"]
    alone = await api(yizhan, platform, *search, "--limit", "1")
    assert (alone.code, "--limit: is for --all" in alone.err) == (2, True)


async def test_a_refusal_is_printed_with_code_meaning_and_request_id(
    yizhan: Yizhan, platform: Platform
) -> None:
    platform.reply({"success": False, "errorCode": "CLOSE_ORDER_TOO_FAST", "errorMsg": "too fast"})
    words = ("--order-id", ORDER_ID, "--cancel-reason", "buyerCancel", "--yes")
    ended = await api(yizhan, platform, "call", "alibaba.orders.cancel", *words)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines() == [
        "yizhan: alibaba_orders_cancel: not done, error code CLOSE_ORDER_TOO_FAST "
        "(the order is younger than 10 s): too fast",
        "yizhan: code CLOSE_ORDER_TOO_FAST, meaning the order is younger than 10 s, "
        "outer code 200, HTTP status 200, request id r-1",
    ]


async def test_what_was_done_in_part_exits_3(yizhan: Yizhan, platform: Platform) -> None:
    platform.reply({"payUrl": "https://pay.test/1", "payFailureOrderList": ["2"]})
    words = ("--order-ids", "[1, 2]", "--yes")
    ended = await api(yizhan, platform, "call", "alibaba.orders.pay_batch", *words)
    assert json.loads(ended.out)["pay_failure_order_list"] == ["2"]
    assert (ended.code, ended.err) == (
        3,
        "yizhan: alibaba.orders.pay_batch: done in part, 1 refused\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["alibaba.orders.cancel", "--order-id", "x", "--yes"], "order_id: must be a whole number"),
        (["alibaba.orders.detail"], "Missing option '--order-id'"),
        (["alibaba.orders.detail", "--oder-id", "1"], "--order-id"),
        (["alibaba.refunds.cancel", "--refund-id", "1", "--yes"], "edition 'v2' has no such call"),
        (["alibaba.cart.preview", "--cart-ids", "1"], "--cart-ids: write JSON"),
        (["alibaba.orders.cancel", "--order-id", "1"], "changes state: add --yes"),
    ],
)
async def test_wrong_usage_exits_2_and_sends_nothing(
    yizhan: Yizhan, platform: Platform, words: list[str], said: str
) -> None:
    ended = await api(yizhan, platform, "call", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert platform.asked == []


async def test_no_account_exits_2(yizhan: Yizhan) -> None:
    ended = await yizhan.run("api", "call", "alibaba.orders.detail", "--order-id", "1")
    assert (ended.code, "api: is missing: write a section [api]" in ended.err) == (2, True)


async def test_a_dry_run_hides_secret_and_signature_and_sends_nothing(
    yizhan: Yizhan, platform: Platform
) -> None:
    words = ("alibaba.orders.cancel", "--order-id", ORDER_ID, "--dry-run")
    ended = await api(yizhan, platform, "call", *words)
    assert (ended.code, platform.asked) == (0, [])
    head, curl = ended.out.rstrip().rsplit("\n\n", 1)
    assert head.startswith(f"POST {platform.url}/v2/alibaba/order/cancel\naccess-key: AK\n")
    assert "\nsignature: (hidden)\n" in head
    assert head.endswith(
        '{"webSite":"1688","orderId":2700000000000000017,"cancelReason":"buyerCancel"}'
    )
    made = re.search(r"timestamp: (\d+)\nnonce-str: (\w+)\n", head)
    assert made
    assert xport_signature("AK", made[1], made[2], SECRET) not in ended.out
    assert curl.startswith("curl --request POST ")


@pytest.mark.parametrize(
    "words",
    [
        ["alibaba.orders.detail", "--order-id", "it's"],
        ["taobao.refunds.cancel", "--refund-id", "7"],
        ["warehouse.book_freight", "--parameters", '{"a": "$HOME `x` \\" 包"}'],
        ["alibaba.refunds.upload_voucher", "--image-data", "a photo.jpg"],
    ],
)
async def test_the_curl_line_sends_the_same(
    yizhan: Yizhan, platform: Platform, words: list[str]
) -> None:
    photo(yizhan.directory)
    dry = await api(yizhan, platform, "call", *words, "--dry-run")
    curl = dry.out.rstrip().rsplit("\n\n", 1)[1]
    await api(yizhan, platform, "call", *words, *yes(words[0]))
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{curl} --silent --noproxy '*'"),
        cwd=yizhan.directory,
        env=yizhan.environ(**account(platform)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert json.loads((await process.communicate())[0])["code"] == 200

    ours, theirs = platform.asked
    assert (theirs.method, theirs.path) == (ours.method, ours.path)
    assert without_boundary(theirs.body, theirs.headers) == without_boundary(
        ours.body, ours.headers
    )
    signed = theirs.headers | theirs.query
    expected = xport_signature("AK", signed["timestamp"], signed["nonce-str"], SECRET)
    assert signed.get("signature", signed.get("sign")) == expected


def photo(directory: Path) -> None:
    (directory / "a photo.jpg").write_bytes(b"\xff\xd8\xff photograph")


def yes(row: str) -> list[str]:
    return [] if row == "alibaba.orders.detail" else ["--yes"]


def without_boundary(body: bytes, headers: dict[str, str]) -> list[bytes]:
    """The body; of a form its parts in lines, whatever lies between them."""
    boundary = headers.get("content-type", "").partition("boundary=")[2].encode()
    return body.replace(boundary, b"").replace(b"-", b"").split(b"\r\n") if boundary else [body]


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
async def test_a_call_that_changes_state_asks_and_shows_what_is_sent(
    yizhan: Yizhan, platform: Platform, answer: str, code: int
) -> None:
    platform.reply({"success": True})
    words = ("api", "call", "alibaba.orders.cancel", "--order-id", ORDER_ID)
    ended = await yizhan.at_terminal(f"{answer}\n", *words, **account(platform))
    assert ended.code == code
    for shown in ("POST ", "(hidden)", ORDER_ID):
        assert shown in ended.err
    assert "alibaba.orders.cancel changes state. Send it? [y/N]" in ended.err
    assert len(platform.asked) == (1 if answer == "y" else 0)
    assert (ended.out == "") is (answer == "n")


async def test_a_change_that_is_stopped_under_way_says_that_it_may_have_happened(
    yizhan: Yizhan, platform: Platform
) -> None:
    asked, stopped = asyncio.Event(), asyncio.Event()

    async def too_late(_: Request) -> Response:
        asked.set()
        await stopped.wait()
        return Response()

    platform.answering = too_late
    environ: dict[str, Any] = account(platform)
    words = ("call", "alibaba.orders.cancel", "--order-id", ORDER_ID, "--yes")
    running = await yizhan.start("api", *words, **environ)
    await asked.wait()
    assert await running.stop() == 143
    stopped.set()
    said = "yizhan: alibaba.orders.cancel: stopped: it may have been carried out\n"
    assert "".join(running.lines) == said


async def test_a_recorded_call_is_printed_and_replayed(yizhan: Yizhan, platform: Platform) -> None:
    words = ("record", "calls.jsonl", "alibaba.orders.detail", "--order-id", ORDER_ID)
    ended = await api(yizhan, platform, *words)
    assert json.loads(ended.out)["base_info"]["status"] == "waitsellersend"
    replay = ReplayTransport(yizhan.directory / "calls.jsonl")
    settings = settings_of("https://platform.test")
    async with PlatformAPI.open(settings, transport=replay) as again:
        assert (await again.alibaba.orders.detail(ORDER_ID)).order_id == ORDER_ID
    nowhere = await api(yizhan, platform, "record", "no/calls.jsonl", *words[2:])
    assert (nowhere.code, "there is no directory no" in nowhere.err) == (2, True)
