"""What carries a valid signature is read if it can be and kept if not, whatever it says it is."""

from __future__ import annotations

import gzip
import json
import re
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import httpx2
import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.signatures import aop_signature, global_signature, xport_signature
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving
from tests.bus.relay import relayed

CASES = Path(__file__).parents[1] / "fixtures/cases"
MAX_BYTES = 1024 * 1024
KEY, SECRET, TOKEN = "key-1", "secret-1", "t" * 32
Headers = dict[str, str]


def source(name: str, dialect: str, verification: str, **values: Any) -> SourceSettings:
    known = {"access_key": KEY, "secrets": [SECRET], "path_token": TOKEN}
    return SourceSettings.model_validate(
        {"name": name, "dialect": dialect, "verification": verification} | known | values
    )


SOURCES = (
    *(source(name, name, "signature") for name in DIALECTS),
    source("token", "xport", "path_token"),
    source("open", "xport", "none"),
    source("strict", "aop", "signature", max_age_s=3600),
)


@dataclass
class Stack:
    http: httpx2.AsyncClient
    connection: Connection
    subjects: Subjects

    async def post(self, path: str, body: bytes, headers: Headers) -> tuple[int, str]:
        """Status and word of the answer."""
        answer = await self.http.post(f"/callbacks/{path}", content=body, headers=headers)
        return answer.status_code, answer.json().get("status", "")

    async def stored(self) -> list[Any]:
        """All but used signatures, in order."""
        jetstream = self.connection.jetstream
        last = (await jetstream.stream_info(self.subjects.stream)).state.last_seq
        found = [await jetstream.get_msg(self.subjects.stream, seq) for seq in range(1, last + 1)]
        return [message for message in found if ".nonces." not in str(message.subject)]

    async def kinds(self) -> list[str]:
        """The kind of each stored message: `callbacks`, `events`, `quarantine`."""
        return [str(message.subject).split(".")[1] for message in await self.stored()]


@asynccontextmanager
async def served(
    publisher: Submitter, connection: Connection, subjects: Subjects, *, fast_path: bool
) -> AsyncIterator[Stack]:
    endpoint = CallbackEndpoint(
        Intake(publisher, subjects, DIALECTS, limit_bytes=MAX_BYTES),
        Sources(SOURCES),
        limit_bytes=MAX_BYTES,
        counts=DeliveryCounts(),
    )
    app = create_app(endpoint, HealthEndpoints(connection.probe))
    async with (
        serving(app, bind("127.0.0.1", 0), fast_path=endpoint if fast_path else None) as url,
        httpx2.AsyncClient(base_url=url) as http,
    ):
        yield Stack(http, connection, subjects)


@pytest.fixture(params=[True, False], ids=["fast_path", "asgi"])
async def stack(
    publisher: GroupCommitPublisher,
    connection: Connection,
    subjects: Subjects,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Stack]:
    async with served(publisher, connection, subjects, fast_path=request.param) as running:
        yield running


def xport(order_id: str = "2745812000123456789", **more: Any) -> bytes:
    inner = {"orderId": order_id, "orderStatus": "WAITING_FOR_SENT"} | more
    return json.dumps(
        {"messageType": "ORDER_PAY_SUCCESS", "messageBody": inner, "messagePlatform": 1},
        ensure_ascii=False,
    ).encode()


def xport_headers(age_s: float = 0, **more: str) -> Headers:
    timestamp, nonce = str(int((time.time() - age_s) * 1000)), secrets.token_hex(16)
    return {
        "access-key": KEY,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "signature": xport_signature(KEY, timestamp, nonce, SECRET),
    } | {name.replace("_", "-"): value for name, value in more.items()}


def aop_message(number: int = 1, *, born_at: float | None = None, **data: Any) -> str:
    message: dict[str, Any] = {
        "msgId": number,
        "type": "ORDER_BUYER_VIEW_ORDER_PAY",
        "data": {"orderId": 2745812000123456789} | data,
    }
    if born_at is not None:
        message["gmtBorn"] = int(born_at * 1000)
    return json.dumps(message, ensure_ascii=False)


def aop_form(message: str, **more: str) -> bytes:
    pairs = {"message": message} | more
    return urlencode(pairs | {"_aop_signature": aop_signature(pairs.items(), SECRET)}).encode()


def of_global(body: bytes, **more: str) -> Headers:
    return {"authorization": global_signature(KEY, body, SECRET)} | {
        name.replace("_", "-"): value for name, value in more.items()
    }


READ_ALL_THE_SAME: dict[str, Headers] = {
    "a form": {"content-type": "application/x-www-form-urlencoded"},
    "HTML": {"content-type": "text/html; charset=utf-8"},
    "no media type": {"content-type": "json"},
    "a broken one": {"content-type": ";;;===,,"},
    "an unknown charset": {"content-type": "application/json; charset=klingon"},
    "a codec that is no charset": {"content-type": "application/json; charset=zlib"},
    "a charset for a coding": {"content-encoding": "UTF-8"},
    "a coding that was undone on the way": {"content-encoding": "gzip"},
    "no coding": {"content-encoding": "identity"},
    "a wrong charset": {"content-type": "application/json; charset=iso-8859-1"},
}


@pytest.mark.parametrize("case", READ_ALL_THE_SAME)
async def test_a_signed_callback_is_read_whatever_it_says_it_is(stack: Stack, case: str) -> None:
    headers = xport_headers() | READ_ALL_THE_SAME[case]
    body = xport(buyerNick="小王")
    assert await stack.post("xport", body, headers) == (200, "stored")
    raw, _ = await stack.stored()
    assert (raw.data, await stack.kinds()) == (body, ["callbacks", "events"])


@pytest.mark.parametrize("case", ["content-encoding-utf8", "signed-body-lost-to-content-type"])
async def test_the_requests_that_were_lost_to_a_header_are_stored(stack: Stack, case: str) -> None:
    head, _, body = (CASES / case / "request.http").read_text(encoding="utf-8").partition("\n\n")
    named = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
    assert await stack.post("xport", body.strip().encode(), xport_headers() | named) == (
        200,
        "stored",
    )


@pytest.mark.parametrize("case", ["a form", "HTML", "a coding that was undone on the way"])
async def test_an_unsigned_body_is_refused_for_its_media_type(stack: Stack, case: str) -> None:
    headers = dict(READ_ALL_THE_SAME[case])
    unsigned = xport_headers() | headers | {"signature": "0" * 32}
    for path, given in (("xport", headers), ("xport", unsigned), ("open", headers)):
        assert (await stack.post(path, xport(), given))[0] == 415
    assert await stack.stored() == []


async def test_two_content_types_of_a_signed_callback_do_not_matter(stack: Stack) -> None:
    headers = [*xport_headers().items(), ("content-type", "a/b"), ("content-type", "text/html")]
    answer = await stack.http.post("/callbacks/xport", content=xport(), headers=headers)
    assert answer.json()["status"] == "stored"


async def test_a_secret_url_is_proof_enough_to_read_on(stack: Stack) -> None:
    headers = {"content-type": "text/html"}
    assert await stack.post(f"token/{TOKEN}", xport(), headers) == (200, "stored")
    assert await stack.post(f"token/{TOKEN}", b"<p>", headers) == (200, "quarantined")


def deflated_bare(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


COMPRESSED: dict[str, tuple[str, Any]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "two members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "something behind it": ("gzip", lambda data: gzip.compress(data) + b"\0\0"),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", deflated_bare),
    "twice": ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    "beside a charset": ("utf-8, gzip", gzip.compress),
}


@pytest.mark.parametrize("case", COMPRESSED)
async def test_a_compressed_callback_is_read_and_kept_inflated(stack: Stack, case: str) -> None:
    coding, compress = COMPRESSED[case]
    body = xport()
    answer = await stack.post("xport", compress(body), xport_headers(content_encoding=coding))
    assert answer == (200, "stored")
    raw, _ = await stack.stored()
    assert (raw.data, raw.headers["yizhan-contentencoding"].lower()) == (
        body,
        quote(coding.lower(), safe=",-"),
    )
    assert await stack.post("xport", body, xport_headers()) == (200, "duplicate")


KEPT: dict[str, tuple[str, Callable[[], bytes]]] = {
    "cut off": ("gzip", lambda: gzip.compress(xport())[:-20]),
    "damaged": ("gzip", lambda: b"\x1f\x8b" + secrets.token_bytes(60)),
    "larger than the limit": ("gzip", lambda: gzip.compress(b" " * (MAX_BYTES + 1))),
    "a bomb": ("gzip, gzip", lambda: gzip.compress(gzip.compress(b"\0" * 100 * MAX_BYTES))),
    "unknown": ("br", lambda: b"\x0b\x02\x80{}\x03"),
    "too many": ("gzip, gzip, gzip", lambda: b"x"),
}


@pytest.mark.parametrize("case", KEPT)
async def test_a_compressed_callback_that_cannot_be_read_is_kept_as_it_came(
    stack: Stack, case: str
) -> None:
    coding, made = KEPT[case]
    body = made()
    answer = await stack.post("xport", body, xport_headers(content_encoding=coding))
    assert answer == (200, "quarantined")
    (kept,) = await stack.stored()
    assert (kept.data, kept.headers["yizhan-place"]) == (body, "body")
    assert await stack.kinds() == ["quarantine"]


@pytest.mark.parametrize("signed_content", [True, False], ids=["content", "what was sent"])
async def test_a_compressed_push_of_global_may_sign_either(
    stack: Stack, *, signed_content: bool
) -> None:
    body = b'{"message_type":3,"data":{"purchase_id":77,"status":"TRADE_CLOSED"}}'
    sent = gzip.compress(body)
    headers = of_global(body if signed_content else sent, content_encoding="gzip")
    assert await stack.post("global", sent, headers) == (200, "stored")
    assert (await stack.post("global", sent, of_global(b"x", content_encoding="gzip")))[0] == 415


CHARSETS = ["gbk", "gb2312", "gb18030", "big5", "utf-16", "utf-16-le", "utf-8"]


@pytest.mark.parametrize("charset", CHARSETS)
async def test_a_signed_callback_is_read_in_its_charset(stack: Stack, charset: str) -> None:
    body = xport(orderNo="王").decode().encode(charset)
    headers = xport_headers(content_type=f"application/json; charset={charset}")
    assert await stack.post("xport", body, headers) == (200, "stored")
    raw, event = await stack.stored()
    assert raw.data == body
    assert json.loads(event.data)["order_no"] == "王"


SPELLINGS: dict[str, Any] = {
    "as browsers write it": lambda m, s: urlencode({"message": m, "_aop_signature": s}),
    "a trailing &": lambda m, s: f"message={quote(m)}&_aop_signature={s}&",
    "a trailing line end": lambda m, s: f"message={quote(m)}&_aop_signature={s}\r\n",
    "raw UTF-8": lambda m, s: f"message={m}&_aop_signature={s}",
    "empty pairs": lambda m, s: f"&&message={quote(m)}&&&_aop_signature={s}",
    "a byte order mark": lambda m, s: f"\ufeffmessage={quote(m)}&_aop_signature={s}",
    "lower-case escapes": lambda m, s: (
        "message="
        + re.sub("%..", lambda escape: escape[0].lower(), quote(m))
        + f"&_aop_signature={s}"
    ),
    "everything escaped": lambda m, s: (
        "message=" + "".join(f"%{byte:02X}" for byte in m.encode()) + f"&_aop_signature={s}"
    ),
    "a raw +": lambda m, s: f"message={quote(m, safe='+')}&_aop_signature={s}",
    "the signature first": lambda m, s: f"_aop_signature={s}&message={quote(m)}",
    "a lower-case signature": lambda m, s: f"message={quote(m)}&_aop_signature={s.lower()}",
}


@pytest.mark.parametrize("case", SPELLINGS)
async def test_a_form_is_read_as_servlets_and_php_read_it(stack: Stack, case: str) -> None:
    message = aop_message(1, buyerNick="小王 x+y")
    if case == "raw UTF-8":
        message = aop_message(1, buyerNick="小王")
    signature = aop_signature([("message", message)], SECRET)
    body = SPELLINGS[case](message, signature).encode()
    assert await stack.post("aop", body, {}) == (200, "stored")
    assert await stack.kinds() == ["callbacks", "events"]


@pytest.mark.parametrize("name", ["form-a.txt", "form-c.txt"])
async def test_the_forms_that_were_lost_are_stored(stack: Stack, name: str) -> None:
    text = (CASES / "aop-form-strictness" / name).read_text(encoding="utf-8").strip("\n")
    (message,) = [
        value for key, value in httpx2.QueryParams(text.rstrip("&")).items() if key == "message"
    ]
    signed = text.replace("SIGN", aop_signature([("message", message)], SECRET))
    assert await stack.post("aop", signed.encode(), {}) == (200, "stored")


async def test_the_same_parameters_in_other_bytes_are_the_same_callback(stack: Stack) -> None:
    message = aop_message(7, buyerNick="小王")
    signature = aop_signature([("message", message)], SECRET)
    spellings = [
        urlencode({"message": message, "_aop_signature": signature}),
        f"message={message}&_aop_signature={signature}",
        f"_aop_signature={signature.lower()}&&message={quote_plus(message)}&\r\n",
    ]
    answers = [await stack.post("aop", text.encode(), {}) for text in spellings]
    assert answers == [(200, "stored"), (200, "duplicate"), (200, "duplicate")]
    assert await stack.kinds() == ["callbacks", "events"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data"])
async def test_a_signed_form_under_another_name_is_read(stack: Stack, content_type: str) -> None:
    answer = await stack.post("aop", aop_form(aop_message()), {"content-type": content_type})
    assert answer == (200, "stored")


@pytest.mark.parametrize("body", [b"", b"{}", b" \r\n", b"{ }"], ids=repr)
async def test_an_empty_push_is_a_console_check_unless_it_is_signed(
    stack: Stack, body: bytes
) -> None:
    wrong = xport_headers(signature="0" * 32)
    stale = xport_headers(age_s=86400)
    for headers in ({}, wrong, stale, {"content-type": "text/html"}):
        assert await stack.post("xport", body, headers) == (200, "checked")
    assert await stack.post(f"token/{TOKEN}", body, {}) == (200, "checked")
    assert await stack.post("open", body, {}) == (200, "checked")
    for mistyped in ("token", "token/" + "x" * 32):
        assert (await stack.post(mistyped, body, {}))[0] == 401
    assert await stack.stored() == []
    assert await stack.post("xport", body, xport_headers()) == (200, "quarantined")
    (kept,) = await stack.stored()
    assert (kept.data or b"", kept.headers["yizhan-reason"]) == (body, "empty")
    assert await stack.kinds() == ["quarantine"]


async def test_a_signed_empty_object_of_global_is_kept(stack: Stack) -> None:
    assert await stack.post("global", b"{}", {"authorization": "00"}) == (200, "checked")
    assert await stack.post("global", b"{}", of_global(b"{}")) == (200, "quarantined")
    assert await stack.kinds() == ["quarantine"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_get_is_a_console_check_even_where_it_is_signed(stack: Stack, method: str) -> None:
    answer = await stack.http.request(method, "/callbacks/xport", headers=xport_headers())
    assert answer.status_code == 200
    assert await stack.stored() == []


async def test_a_retry_with_its_first_headers_half_an_hour_later_is_stored(stack: Stack) -> None:
    assert await stack.post("xport", xport(), xport_headers(age_s=1860)) == (200, "stored")


async def test_a_late_signature_is_used_up_like_a_fresh_one(stack: Stack) -> None:
    headers = xport_headers(age_s=9000)
    assert await stack.post("xport", xport("1001"), headers) == (200, "stored")
    assert (await stack.post("xport", xport("1002"), headers))[0] == 401
    assert await stack.post("xport", xport("1001"), headers) == (200, "duplicate")


async def test_a_used_signature_lives_as_long_as_it_is_taken(stack: Stack) -> None:
    await stack.post("xport", xport(), xport_headers())
    info = await stack.connection.jetstream.get_last_msg(
        stack.subjects.stream, f"{stack.subjects.root}.nonces.>"
    )
    lifetime = timedelta(hours=2, minutes=30) + 2 * timedelta(seconds=600)
    assert int((info.headers or {})["Nats-TTL"].rstrip("s")) >= lifetime.total_seconds()


AGES: dict[str, tuple[str, timedelta, int]] = {
    "fresh": ("aop", timedelta(minutes=1), 200),
    "within the window": ("aop", timedelta(hours=2, minutes=59), 200),
    "beyond it": ("aop", timedelta(hours=3, minutes=1), 401),
    "within what the log keeps": ("aop", timedelta(days=89), 401),
    "before everything that the log keeps": ("aop", timedelta(days=91), 200),
    "within a bound of one's own": ("strict", timedelta(minutes=59), 200),
    "beyond a bound of one's own": ("strict", timedelta(minutes=61), 401),
    "long beyond a bound of one's own": ("strict", timedelta(days=400), 401),
}


@pytest.mark.parametrize("case", AGES)
async def test_a_signed_message_is_taken_up_to_an_age(stack: Stack, case: str) -> None:
    path, age, status = AGES[case]
    born_at = time.time() - age.total_seconds()
    form = aop_form(aop_message(1, born_at=born_at))
    assert (await stack.post(path, form, {}))[0] == status
    assert bool(await stack.stored()) == (status == 200)


@pytest.mark.parametrize(("hours", "status"), [(1, 200), (4, 401)])
async def test_a_push_of_global_is_taken_up_to_an_age(
    stack: Stack, hours: int, status: int
) -> None:
    body = json.dumps(
        {
            "message_type": 3,
            "data": {"purchase_id": 77, "status": "TRADE_CLOSED"},
            "timestamp": int(time.time()) - hours * 3600,
        }
    ).encode()
    assert (await stack.post("global", body, of_global(body)))[0] == status


async def test_a_message_without_a_time_is_taken(stack: Stack) -> None:
    assert await stack.post("strict", aop_form(aop_message()), {}) == (200, "stored")


async def test_a_captured_signature_is_refused_by_another_receiver_in_every_form(
    stack: Stack, connection: Connection, subjects: Subjects
) -> None:
    headers = xport_headers()
    assert await stack.post("xport", xport("1001"), headers) == (200, "stored")
    moved = dict(headers)  # three digits of the time moved into the nonce sign the same text
    moved["timestamp"], moved["nonce-str"] = (
        headers["timestamp"][:10],
        headers["timestamp"][10:] + headers["nonce-str"],
    )
    forged = xport("1002")
    other = GroupCommitPublisher(connection, timeout_s=10)
    async with served(other, connection, subjects, fast_path=True) as second:
        for receiver in (stack, second):
            for given in (headers, moved, headers | {"content-type": "text/html"}):
                assert (await receiver.post("xport", forged, given))[0] in {401, 415}
            squeezed = headers | {"content-encoding": "gzip"}
            assert (await receiver.post("xport", gzip.compress(forged), squeezed))[0] in {401, 415}
            assert (await receiver.post("xport", b"<p>", headers))[0] == 401
    await other.stop()
    assert await stack.kinds() == ["callbacks", "events"]


async def test_a_callback_that_grows_beyond_the_servers_limit_is_kept_in_quarantine(
    nats_url: str, connection: Connection, subjects: Subjects
) -> None:
    rewritten = (b'"max_payload":8388608', b'"max_payload":1000000')
    async with relayed(nats_url, rewritten=rewritten) as url:
        smaller = Connection(url, plans(subjects, []))
        assert await smaller.start(patience_s=10)
        publisher = GroupCommitPublisher(smaller, timeout_s=10)
        body = b'{"messageType":"X","messageBody":"%b"}' % (
            b"\x01" * 200_000
        )  # each six bytes then
        async with served(publisher, connection, subjects, fast_path=True) as stack:
            assert await stack.post(f"token/{TOKEN}", body, {}) == (200, "quarantined")
            assert await stack.post(f"token/{TOKEN}", body, {}) == (200, "duplicate")
            (kept,) = await stack.stored()
        assert (kept.data, await stack.kinds()) == (body, ["quarantine"])
        await publisher.stop()
        await smaller.stop()
