"""What goes wrong on the way, and which error it becomes."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from structlog.testing import capture_logs

from receiver.client.exchange import MAX_REPLY_BYTES
from receiver.client.platform import PlatformAPI
from receiver.client.replies import retry_after_s
from receiver.errors import APIError, APIRejectedError, APIUnavailableError, RateLimitedError
from receiver.web.server import bind
from tests.client.conftest import Platform, settings_of

NOW = 1_700_000_000.0


async def fault(api: PlatformAPI) -> APIError:
    """The error of one call."""
    with pytest.raises(APIError) as caught:
        await api.alibaba.orders.logistics("1234567890")
    return caught.value


@pytest.mark.parametrize("code", [40001, "40001", 0, 201, 500], ids=repr)
async def test_any_other_code_is_a_refusal(
    platform: Platform, api: PlatformAPI, code: int | str
) -> None:
    platform.reply(None, code=code, msg="signature\nwrong")

    error = await fault(api)

    assert type(error) is APIRejectedError
    assert (error.code, error.status, error.request_id) == (int(code), 200, "r-1")
    assert str(error) == f"alibaba_orders_logistics: refused with code {code}: signature wrong"
    assert not error.retryable


async def test_a_code_of_letters_is_kept_as_it_is(platform: Platform, api: PlatformAPI) -> None:
    platform.reply(None, code="NO_SUCH_USER")

    assert (await fault(api)).code == "NO_SUCH_USER"


@pytest.mark.parametrize(
    "develop_id", [1023561483696472885, "1023561483696472885", None, {}], ids=repr
)
async def test_a_reply_is_read_whatever_its_develop_id(
    platform: Platform, api: PlatformAPI, develop_id: object
) -> None:
    platform.reply([], developId=develop_id, requestId=None, msg=None, code="200")

    assert (await api.alibaba.orders.logistics("1")).traces == ()


@pytest.mark.parametrize("name", ["errorInfo", "errorMsg", "errorMessage"])
@pytest.mark.parametrize("success", [False, "false"])
async def test_the_second_verdict_is_a_refusal(
    platform: Platform, api: PlatformAPI, name: str, success: object
) -> None:
    data = {"success": success, "errorCode": "ORDER_NOT_FOUND", "errorInfo": None}
    platform.reply(data | {name: "no such order"})

    error = await fault(api)

    assert type(error) is APIRejectedError
    assert (error.code, error.status, error.request_id) == ("ORDER_NOT_FOUND", 200, "r-1")
    assert str(error).endswith("not done, error code ORDER_NOT_FOUND: no such order")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, APIRejectedError),
        (401, APIRejectedError),
        (403, APIRejectedError),
        (404, APIRejectedError),
        (405, APIRejectedError),
        (408, APIUnavailableError),
        (429, RateLimitedError),
        (500, APIUnavailableError),
        (502, APIUnavailableError),
        (503, APIUnavailableError),
    ],
)
@pytest.mark.parametrize("body", ["", "<html>", '{"code":1,"msg":"why","requestId":"r-9"}'])
async def test_an_http_status_becomes_its_error(
    platform: Platform, api: PlatformAPI, status: int, kind: type[APIError], body: str
) -> None:
    platform.send(body, status)

    error = await fault(api)

    assert type(error) is kind
    assert error.status == status
    assert error.retryable is (kind is not APIRejectedError)
    if body.startswith("{"):
        assert (error.code, error.request_id) == (1, "r-9")
        assert str(error).endswith("why")


async def test_an_unknown_path_names_the_setting_that_overrides_it(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send("", 404)

    assert "api.paths.alibaba_orders_logistics" in str(await fault(api))


async def test_a_redirect_is_not_followed(platform: Platform, api: PlatformAPI) -> None:
    platform.send("", 302, {"location": f"{platform.url}/elsewhere"})

    error = await fault(api)

    assert type(error) is APIUnavailableError
    assert len(platform.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        *("", "<html>", b"\xff\xfe", "[]", "7", '"x"', "null", "{}"),
        *('{"code":null}', '{"code":{}}', '{"code":NaN}', '{"error":1}'),
        '{"code":200,"data":' + "[" * 10_000 + "]" * 10_000 + "}",
    ],
)
async def test_what_is_not_a_reply_is_unavailable(
    platform: Platform, api: PlatformAPI, body: str | bytes
) -> None:
    platform.send(body)

    error = await fault(api)

    assert type(error) is APIUnavailableError
    assert (error.status, error.code) == (200, None)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60.0),
        ("9" * 400, 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("٣", None),
        ("Tue, 99 Nov 2023 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value", ["30", formatdate(NOW + 30, usegmt=True)])
async def test_retry_after_reaches_the_caller(platform: Platform, status: int, value: str) -> None:
    platform.send("", status, {"retry-after": value})

    async with PlatformAPI.open(settings_of(platform.url), now=lambda: NOW) as api:
        assert (await fault(api)).retry_after_s == 30.0


async def test_a_silent_platform_is_given_up(platform: Platform) -> None:
    released = asyncio.Event()

    async def silent(_: Request) -> Response:
        await released.wait()
        return Response()

    platform.answering = silent
    async with PlatformAPI.open(settings_of(platform.url, timeout_s=0.2)) as api:
        error = await fault(api)
    released.set()

    assert type(error) is APIUnavailableError
    assert str(error) == "alibaba_orders_logistics: no answer within 0.2 s"
    assert error.status is None


async def test_a_platform_that_drips_is_given_up_too(platform: Platform) -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async def dripping(_: Request) -> Response:
        return StreamingResponse(drops())

    platform.answering = dripping
    async with PlatformAPI.open(settings_of(platform.url, timeout_s=0.3)) as api:
        assert "within 0.3 s" in str(await fault(api))


async def test_a_huge_reply_is_cut_off(platform: Platform, api: PlatformAPI) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(2 * MAX_REPLY_BYTES // 65_536):
            yield b" " * 65_536

    async def huge(_: Request) -> Response:
        return StreamingResponse(parts())

    platform.answering = huge
    error = await fault(api)

    assert type(error) is APIUnavailableError
    assert str(MAX_REPLY_BYTES) in str(error)


async def test_a_small_reply_that_unpacks_to_a_huge_one_is_cut_off(
    platform: Platform, api: PlatformAPI
) -> None:
    packed = gzip.compress(b" " * (MAX_REPLY_BYTES + 1))
    platform.send(packed, headers={"content-encoding": "gzip"})

    assert str(MAX_REPLY_BYTES) in str(await fault(api))


async def test_a_reply_that_cannot_be_unpacked_is_unavailable(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send(b"not gzip", headers={"content-encoding": "gzip"})

    assert type(await fault(api)) is APIUnavailableError


async def test_a_port_without_a_listener_is_unavailable() -> None:
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()

    async with PlatformAPI.open(settings_of(f"http://127.0.0.1:{port}")) as api:
        error = await fault(api)

    assert type(error) is APIUnavailableError
    assert (error.status, error.code, error.request_id) == (None, None, None)


async def test_a_connection_lost_in_the_middle_is_unavailable() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"code":')
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, PlatformAPI.open(settings_of(f"http://127.0.0.1:{port}")) as api:
        assert type(await fault(api)) is APIUnavailableError


async def test_a_call_is_one_line_in_the_log_without_its_content(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply([{"logisticsId": "LP1", "remark": "A private word"}])
    with capture_logs() as lines:
        await api.alibaba.orders.logistics("1234567890")
    platform.reply(None, code=7, msg="A private word")
    with capture_logs() as more:
        await fault(api)

    assert [line.pop("duration_ms") >= 0 for line in [*lines, *more]] == [True, True]
    common = {"event": "api_called", "log_level": "debug", "endpoint": "alibaba_orders_logistics"}
    rest = {"status": 200, "request_id": "r-1", "attempt": 1, "order_id": "1234567890"}
    assert lines == [common | rest | {"outcome": "ok", "code": 200}]
    assert more == [common | rest | {"outcome": "APIRejectedError", "code": 7}]


async def test_the_client_is_fit_for_use_after_a_fault(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send("", 500)
    await fault(api)
    platform.send(json.dumps({"code": 200, "data": []}))

    assert (await api.alibaba.orders.logistics("1")).traces == ()
