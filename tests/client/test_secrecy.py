"""No secret and no personal data in a log, an exception, a repr or a trace; safe transport."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from structlog.testing import capture_logs

from receiver.client.platform import PlatformAPI
from receiver.errors import APIError, APIUnavailableError, InvalidRequestError, OutcomeUnknownError
from receiver.web.server import ServerConfig, bind, serving
from receiver.web.tls import Certificate
from schemas.api.taobao_orders import PurchaseLine, TaobaoAddress
from tests.certificates import make_certificate
from tests.client.conftest import Platform, settings_of

SECRET = "s3cret"  # of `settings_of`
PRIVATE = ("A private person", "13900000000", "A private place")


async def create(api: PlatformAPI) -> None:
    """An order with personal data."""
    name, phone, place = PRIVATE
    await api.taobao.orders.create(
        purchase_amount=100,
        receiver=TaobaoAddress(address=place, name=name, mobile_phone=phone),
        order_line_list=[
            PurchaseLine(item_id="1", order_line_no="1", quantity=1, price=100, sku_id="2")
        ],
    )


@pytest.mark.parametrize(("body", "status"), [("", 500), ("<html>", 200), ('{"code":7}', 200)])
async def test_an_error_and_its_trace_hold_no_secret_and_no_person(
    platform: Platform, api: PlatformAPI, body: str, status: int
) -> None:
    platform.send(body, status)

    with capture_logs() as lines, pytest.raises(APIError) as caught:
        await create(api)

    headers = platform.asked[0].headers
    shown = "".join(traceback.format_exception(caught.value))
    shown += f"{lines} {caught.value!r} {vars(caught.value).keys()} {api!r}"
    for hidden in (SECRET, headers["signature"], headers["nonce-str"], *PRIVATE):
        assert hidden not in shown


async def test_a_fault_on_the_way_shows_no_query(platform: Platform, api: PlatformAPI) -> None:
    platform.send(b"not gzip", headers={"content-encoding": "gzip"})
    with pytest.raises(APIError) as caught:
        await api.warehouse.preview_freight({"address": PRIVATE[2]})

    shown = "".join(traceback.format_exception(caught.value))
    assert platform.asked[0].query["sign"] not in shown
    assert PRIVATE[2] not in shown


async def test_a_question_is_shown_without_the_request(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send("", 500)
    with pytest.raises(OutcomeUnknownError) as caught:
        await create(api)

    error = caught.value
    shown = f"{error} {error!r} {error.asking!r} {error.question!r}"
    assert not any(hidden in shown for hidden in PRIVATE)


def test_the_settings_hide_the_secret() -> None:
    settings = settings_of("https://platform.test")

    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize("location", ["https://elsewhere.test/x", "//elsewhere.test/x", "/here"])
async def test_a_redirect_is_refused_and_sends_nothing_elsewhere(
    platform: Platform, api: PlatformAPI, location: str
) -> None:
    platform.send("", 307, {"location": location})

    with pytest.raises(APIUnavailableError, match="redirected elsewhere"):
        await api.alibaba.orders.detail("1")

    assert len(platform.asked) == 1


async def test_a_certificate_of_an_unknown_authority_is_refused(
    platform: Platform, tmp_path: Path
) -> None:
    platform.reply([])
    certificate = Certificate(*make_certificate(tmp_path, "localhost"))
    app = Starlette(routes=[Route("/{path:path}", platform.handle)])

    async with (
        serving(app, bind("127.0.0.1", 0), ServerConfig(tls=certificate)) as url,
        PlatformAPI.open(settings_of(url.replace("127.0.0.1", "localhost"))) as api,
    ):
        with pytest.raises(APIUnavailableError, match="no connection"):
            await api.alibaba.orders.logistics("1")

    assert platform.asked == []


@pytest.mark.parametrize(
    "image", [b"", b"GIF89a", b"\xff\xd8\xff" + bytes(1024 * 1024)], ids=["empty", "GIF", "1 MB"]
)
async def test_a_voucher_is_a_jpeg_below_a_megabyte(
    platform: Platform, api: PlatformAPI, image: bytes
) -> None:
    with pytest.raises(InvalidRequestError, match=r"JPEG|below 1 MB"):
        await api.alibaba.refunds.upload_voucher(image)

    assert platform.asked == []
