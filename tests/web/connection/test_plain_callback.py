"""Which requests may take the fast path: pure, no socket."""

from __future__ import annotations

import pytest

from receiver.web.connection.fast_path import FastPathDelivery, plain_callback

LIMIT_BYTES = 1_000
SIZED = {b"content-length": b"2"}


@pytest.mark.parametrize(
    ("url", "headers", "address"),
    [
        (b"/callbacks/s", SIZED, ("s", None)),
        (b"/callbacks/s/", SIZED, ("s", None)),
        (b"/callbacks/s/t", SIZED, ("s", "t")),
        (b"/callbacks/s/+=&", SIZED, ("s", "+=&")),
        (b"/callbacks//s", SIZED, ("s", None)),
        (b"/callbacks/s", {b"content-length": b"0"}, ("s", None)),
        (b"/callbacks/s", {b"content-length": b"0001000"}, ("s", None)),
        (b"/callbacks/s", SIZED | {b"connection": b"close"}, ("s", None)),
    ],
    ids=repr,
)
def test_a_plain_callback_is_addressed(
    url: bytes, headers: dict[bytes, bytes], address: tuple[str, str | None]
) -> None:
    assert plain_callback(b"POST", "1.1", url, headers, LIMIT_BYTES) == address


@pytest.mark.parametrize(
    ("method", "version", "url", "headers"),
    [
        (b"GET", "1.1", b"/callbacks/s", SIZED),
        (b"PUT", "1.1", b"/callbacks/s", SIZED),
        (b"POST", "1.0", b"/callbacks/s", SIZED),
        (b"POST", "1.1", b"/", SIZED),
        (b"POST", "1.1", b"/other", SIZED),
        (b"POST", "1.1", b"/callbacks", SIZED),
        (b"POST", "1.1", b"/callbacks/", SIZED),
        (b"POST", "1.1", b"/callbacks//", SIZED),
        (b"POST", "1.1", b"//callbacks/s", SIZED),
        (b"POST", "1.1", b"/callbacks/s/t/u", SIZED),
        (b"POST", "1.1", b"/callbacks/%73", SIZED),
        (b"POST", "1.1", b"/callbacks/s?a=b", SIZED),
        (b"POST", "1.1", b"/callbacks/s#a", SIZED),
        (b"POST", "1.1", b"/callbacks/\xe9", SIZED),
        (b"POST", "1.1", b"http://other/callbacks/s", SIZED),
        (b"POST", "1.1", b"/callbacks/s", {}),
        (b"POST", "1.1", b"/callbacks/s", {b"content-length": b"1001"}),
        (b"POST", "1.1", b"/callbacks/s", {b"content-length": b"9" * 5_000}),
        (b"POST", "1.1", b"/callbacks/s", {b"content-length": b""}),
        (b"POST", "1.1", b"/callbacks/s", {b"content-length": b"-1"}),
        (b"POST", "1.1", b"/callbacks/s", {b"content-length": b"2, 2"}),
        (b"POST", "1.1", b"/callbacks/s", SIZED | {b"expect": b"100-continue"}),
        (b"POST", "1.1", b"/callbacks/s", SIZED | {b"transfer-encoding": b"chunked"}),
        (b"POST", "1.1", b"/callbacks/s", SIZED | {b"upgrade": b"h2c"}),
    ],
    ids=repr,
)
def test_every_other_request_takes_the_asgi_way(
    method: bytes, version: str, url: bytes, headers: dict[bytes, bytes]
) -> None:
    assert plain_callback(method, version, url, headers, LIMIT_BYTES) is None


def test_a_delivery_is_answered_once_and_keeps_nothing() -> None:
    sent: list[tuple[int, bytes, bytes]] = []
    delivery = FastPathDelivery(
        ("s", "t"),
        "127.0.0.1",
        [(b"a", b"b")],
        keep_alive=True,
        send=lambda answered, status, body: sent.append((status, body, answered.body)),
    )
    for part in (b"1", b"2"):
        delivery.receive(part)
    delivery.complete()
    delivery.answer(200, b"{}")
    delivery.answer(500, b"")
    assert sent == [(200, b"{}", b"12")]
    assert (delivery.body, delivery.headers, delivery.response_complete) == (b"", (), True)
