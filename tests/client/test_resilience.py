"""What is tried again and what is not, a platform that is away, clocks that differ."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from structlog.testing import capture_logs

from receiver.client.endpoint import Endpoint
from receiver.client.platform import PlatformAPI
from receiver.client.retries import Retries
from receiver.errors import (
    APIError,
    APIRejectedError,
    APIUnavailableError,
    OutcomeUnknownError,
    RateLimitedError,
)
from receiver.web.server import bind
from tests.client.conftest import Platform, settings_of

READ = Endpoint("", {}, source="", row="", reply="unknown", name="read")
CHANGE = Endpoint("", {}, source="", row="", reply="unknown", name="change", changes_state=True)
CHANGES: dict[str, Callable[[PlatformAPI], Awaitable[Any]]] = {
    "cancel": lambda api: api.alibaba.orders.cancel("1"),
    "pay, a GET": lambda api: api.alibaba.orders.payment_url("1"),
    "withdraw, a GET": lambda api: api.taobao.refunds.cancel("1"),
    "confirm": lambda api: api.alibaba.orders.confirm_receipt("1", ["2"]),
}


class Waits:
    """A sleep that is over at once, and remembered."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def api(platform: Platform, waits: Waits) -> AsyncIterator[PlatformAPI]:
    """A client that tries four times and left the rate to others."""
    settings = settings_of(platform.url, tries=4, rate_per_s=1e9, breaker_failures=1000)
    async with PlatformAPI.open(settings, sleep=waits) as opened:
        yield opened


def failing(platform: Platform, *faults: Response) -> None:
    """Answer with these in turn, then with no parcels."""
    left = list(faults)

    async def answering(_: Request) -> Response:
        return left.pop(0) if left else JSONResponse({"code": 200, "data": []})

    platform.answering = answering


@pytest.mark.parametrize(
    "fault",
    [Response("", 500), Response("", 503), Response("<html>"), Response("", 429)],
    ids=lambda fault: str(fault.status_code),
)
async def test_a_read_is_tried_again(platform: Platform, api: PlatformAPI, fault: Response) -> None:
    failing(platform, fault, fault, fault)

    assert (await api.alibaba.orders.logistics("1")).traces == ()

    assert len(platform.asked) == 4
    assert len({asked.headers["nonce-str"] for asked in platform.asked}) == 4


async def test_after_the_last_try_the_error_stands(platform: Platform, api: PlatformAPI) -> None:
    platform.send("", 500)

    with pytest.raises(APIUnavailableError, match="HTTP 500"):
        await api.alibaba.orders.logistics("1")

    assert len(platform.asked) == 4


@pytest.mark.parametrize("status", [302, 400, 401, 404])
async def test_what_another_try_cannot_help_is_tried_once(
    platform: Platform, api: PlatformAPI, status: int
) -> None:
    platform.send("", status)

    with pytest.raises(APIError):
        await api.alibaba.orders.logistics("1")

    assert len(platform.asked) == 1


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("body", "status"), [("", 500), ("", 302), ("<html>", 200)])
async def test_a_change_that_may_have_been_made_is_never_tried_again(
    platform: Platform, api: PlatformAPI, change: str, body: str, status: int
) -> None:
    platform.send(body, status)

    with pytest.raises(
        OutcomeUnknownError, match=r"may have been carried out: .*\.detail\("
    ) as error:
        await CHANGES[change](api)

    assert not error.value.retryable
    assert len(platform.asked) == 1


async def test_a_change_whose_line_was_cut_is_never_tried_again() -> None:
    asked = 0

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = settings_of(f"http://127.0.0.1:{port}", tries=4)
    async with server, PlatformAPI.open(settings) as api:
        with pytest.raises(OutcomeUnknownError) as caught:
            await api.taobao.refunds.cancel("27")

    assert asked == 1
    assert str(caught.value.asking) == "taobao.refunds.detail(refund_id='27')"


async def test_a_change_that_took_too_long_is_never_tried_again(platform: Platform) -> None:
    released = asyncio.Event()

    async def silent(_: Request) -> Response:
        await released.wait()
        return Response()

    platform.answering = silent
    async with PlatformAPI.open(settings_of(platform.url, tries=4, timeout_s=0.2)) as api:
        with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.2 s"):
            await api.alibaba.orders.cancel("1")
    released.set()

    assert len(platform.asked) == 1


async def test_a_change_that_was_refused_for_the_rate_is_the_callers_to_repeat(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.send("", 429)

    with pytest.raises(RateLimitedError) as caught:
        await api.alibaba.orders.cancel("1")

    assert caught.value.retryable
    assert len(platform.asked) == 1


async def test_a_change_that_was_provably_not_sent_is_tried_again(waits: Waits) -> None:
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    listener.close()

    settings = settings_of(f"http://127.0.0.1:{port}", tries=4, rate_per_s=1e9)
    async with PlatformAPI.open(settings, sleep=waits) as api:
        with pytest.raises(APIUnavailableError) as caught:
            await api.alibaba.orders.cancel("1")

    assert type(caught.value) is APIUnavailableError
    assert caught.value.retryable
    assert len(waits.seconds) == 3


async def test_a_silent_part_of_an_answer_is_given_up_by_the_read_timeout(
    platform: Platform,
) -> None:
    released = asyncio.Event()

    async def silent(_: Request) -> Response:
        await released.wait()
        return Response()

    platform.answering = silent
    settings = settings_of(platform.url, timeout_s=100, read_timeout_s=0.2)
    async with PlatformAPI.open(settings) as api:
        with pytest.raises(APIUnavailableError, match="ReadTimeout"):
            await api.alibaba.orders.logistics("1")
    released.set()


async def test_a_change_that_found_no_connection_in_time_was_not_sent() -> None:
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # none is accepted: more than may wait
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = settings_of(url, connect_timeout_s=0.2, timeout_s=100, tries=2)
        async with PlatformAPI.open(settings) as api:
            with pytest.raises(APIUnavailableError, match="ConnectTimeout") as caught:
                await api.alibaba.orders.cancel("1")

    assert type(caught.value) is APIUnavailableError
    assert caught.value.retryable
    assert api.counts.repeats == {"alibaba_orders_cancel": 1}


def test_pauses_have_full_jitter_and_double() -> None:
    error = APIUnavailableError("")
    longest = Retries(9, 0.5, jitter=lambda: 0.0)
    shortest = Retries(9, 0.5, jitter=lambda: 1.0)

    assert [longest.pause_s(READ, error, n) for n in range(1, 9)] == [
        *(0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0)
    ]
    assert [shortest.pause_s(READ, error, n) for n in range(1, 9)] == [0.0] * 8
    assert longest.pause_s(READ, error, 9) is None


def test_retry_after_is_waited_for_unless_it_is_too_long() -> None:
    retries = Retries(9, 0.5, jitter=lambda: 0.0)

    pauses = [
        retries.pause_s(READ, RateLimitedError("", retry_after_s=seconds), 1)
        for seconds in (None, 0.0, 7.0, 30.0, 31.0)
    ]

    assert pauses == [0.5, 0.5, 7.0, 30.0, None]


@pytest.mark.parametrize("kind", [RateLimitedError, OutcomeUnknownError, APIRejectedError])
def test_a_change_is_repeated_for_no_answer_at_all(kind: type[APIError]) -> None:
    assert Retries(9, 0.5).pause_s(CHANGE, kind(""), 1) is None


async def test_a_wish_to_wait_holds_all_calls(
    platform: Platform, api: PlatformAPI, waits: Waits
) -> None:
    failing(platform, Response("", 429, {"retry-after": "20"}))
    with pytest.raises(RateLimitedError):
        await api.alibaba.orders.cancel("1")

    await api.alibaba.orders.logistics("1")

    assert [seconds for seconds in waits.seconds if seconds > 1] == [pytest.approx(20, abs=10)]


async def test_a_platform_that_is_away_is_left_alone(platform: Platform) -> None:
    platform.send("", 503)
    settings = settings_of(platform.url, breaker_failures=3, breaker_pause_s=1000)
    async with PlatformAPI.open(settings, now=lambda: 3600.0) as api:
        for _ in range(3):
            with pytest.raises(APIUnavailableError, match="HTTP 503"):
                await api.alibaba.orders.logistics("1")
        with (
            capture_logs() as lines,
            pytest.raises(APIUnavailableError, match="left alone until 01:16:") as caught,
        ):
            await api.alibaba.orders.logistics("1")

    assert len(platform.asked) == 3
    assert caught.value.retryable
    assert caught.value.retry_after_s == pytest.approx(1000, abs=100)
    assert [line["attempt"] for line in lines] == [0]


async def test_a_change_is_not_sent_to_a_platform_that_is_away(platform: Platform) -> None:
    platform.send("", 503)
    settings = settings_of(platform.url, breaker_failures=1, breaker_pause_s=1000)
    async with PlatformAPI.open(settings) as api:
        with pytest.raises(OutcomeUnknownError):
            await api.alibaba.orders.cancel("1")
        with pytest.raises(APIUnavailableError) as caught:
            await api.alibaba.orders.cancel("1")

    assert type(caught.value) is APIUnavailableError


async def test_one_probe_finds_a_platform_that_is_back(platform: Platform) -> None:
    platform.send("", 503)
    settings = settings_of(platform.url, breaker_failures=1, breaker_pause_s=0.05)
    async with PlatformAPI.open(settings) as api:
        with pytest.raises(APIUnavailableError):
            await api.alibaba.orders.logistics("1")
        platform.reply([])
        await asyncio.sleep(0.06)

        assert (await api.alibaba.orders.logistics("1")).traces == ()
        assert (await api.alibaba.orders.logistics("1")).traces == ()


@pytest.mark.parametrize(
    ("body", "status"),
    [('{"code":7}', 200), ("", 403), ("", 429), ('{"code":200,"data":{"success":false}}', 200)],
)
async def test_a_refusal_is_the_answer_of_a_platform_that_is_there(
    platform: Platform, body: str, status: int
) -> None:
    platform.send(body, status)
    async with PlatformAPI.open(settings_of(platform.url, breaker_failures=1)) as api:
        for _ in range(3):
            with pytest.raises(APIError):
                await api.alibaba.orders.logistics("1")

    assert len(platform.asked) == 3


async def test_a_clock_that_is_off_is_warned_about_once(platform: Platform) -> None:
    platform.reply([])
    with capture_logs() as lines:
        async with PlatformAPI.open(
            settings_of(platform.url), now=lambda: time.time() - 3600
        ) as api:
            await api.alibaba.orders.logistics("1")
            await api.alibaba.orders.logistics("1")

    (warning,) = [line for line in lines if line["event"] == "api_clock_skew"]
    assert warning["ahead_s"] == pytest.approx(3600, abs=60)
    assert 'clock = "server"' in warning["action"]
    signed = [int(asked.headers["timestamp"]) / 1000 for asked in platform.asked]
    assert [round((time.time() - each) / 3600) for each in signed] == [1, 1]


async def test_calls_are_signed_by_the_platforms_clock_where_that_is_wanted(
    platform: Platform,
) -> None:
    platform.reply([])
    settings = settings_of(platform.url, clock="server")
    async with PlatformAPI.open(settings, now=lambda: time.time() - 3600) as api:
        await api.alibaba.orders.logistics("1")
        await api.alibaba.orders.logistics("1")

    signed = [int(asked.headers["timestamp"]) / 1000 for asked in platform.asked]
    assert [round((time.time() - each) / 3600) for each in signed] == [1, 0]


async def test_a_script_may_name_the_clock_among_its_settings(platform: Platform) -> None:
    platform.reply([])
    async with PlatformAPI.open(
        base_url=platform.url,
        access_key="k",
        secret="s",
        clock="server",
        now=lambda: time.time() - 3600,
    ) as api:
        await api.alibaba.orders.logistics("1")
        await api.alibaba.orders.logistics("1")

    signed = [int(asked.headers["timestamp"]) / 1000 for asked in platform.asked]
    assert [round((time.time() - each) / 3600) for each in signed] == [1, 0]


@pytest.mark.parametrize("date", ["yesterday", "", formatdate(0, usegmt=True)])
async def test_a_date_that_cannot_be_is_not_believed(platform: Platform, date: str) -> None:
    async def answering(_: Request) -> Response:
        answer = JSONResponse({"code": 200, "data": []})
        answer.headers["date"] = date
        return answer

    platform.answering = answering
    async with PlatformAPI.open(settings_of(platform.url, clock="server")) as api:
        await api.alibaba.orders.logistics("1")
        await api.alibaba.orders.logistics("1")

    signed = [int(asked.headers["timestamp"]) / 1000 for asked in platform.asked]
    assert [abs(time.time() - each) < 3600 for each in signed] == [True, True]


async def test_a_call_counts_by_row_and_outcome(platform: Platform, api: PlatformAPI) -> None:
    failing(platform, Response("", 500), Response("", 500))
    await api.alibaba.orders.logistics("1")
    platform.send(json.dumps({"code": 7}))
    with pytest.raises(APIRejectedError):
        await api.alibaba.orders.detail("1")
    platform.send("", 500)
    with pytest.raises(OutcomeUnknownError):
        await api.alibaba.orders.cancel("1")

    counts = api.counts
    assert counts.calls == {
        ("alibaba_orders_logistics", "ok"): 1,
        ("alibaba_orders_detail", "rejected"): 1,
        ("alibaba_orders_cancel", "outcome_unknown"): 1,
    }
    assert +counts.repeats == {"alibaba_orders_logistics": 2}
    assert {row: sum(kept.buckets) for row, kept in counts.durations.items()} == {
        "alibaba_orders_logistics": 3,
        "alibaba_orders_detail": 1,
        "alibaba_orders_cancel": 1,
    }
