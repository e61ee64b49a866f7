"""Verification: every mode, every dialect, honest and hostile senders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.callback import Callback, InboundRequest, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.dialects.verification import verify
from receiver.errors import VerificationError
from receiver.settings import SourceSettings
from receiver.signatures import aop_signature, global_signature, xport_signature

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY, NEW, OLD, TOKEN = "key", "new-secret", "old-secret", "t" * 32
NONCE = "n" * 32
MILLISECONDS = str(int(NOW.timestamp() * 1000))
Headers = list[tuple[bytes, bytes]]


def source(dialect: str, verification: str = "signature", **values: Any) -> SourceSettings:
    defaults = {"access_key": KEY, "secrets": [NEW, OLD], "path_token": TOKEN}
    return SourceSettings.model_validate(
        {"name": "s", "dialect": dialect, "verification": verification} | defaults | values
    )


def check(
    source: SourceSettings, headers: Sequence[tuple[bytes, bytes]], body: bytes, token: str = ""
) -> VerifiedRequest:
    request = InboundRequest(source, headers, body, NOW, path_token=token or None)
    return verify(DIALECTS[source.dialect], request, NOW)


def xport_headers(
    secret: str = NEW, *, timestamp: str = MILLISECONDS, nonce: str | None = NONCE, **replaced: str
) -> Headers:
    values = {
        "access-key": KEY,
        "timestamp": timestamp,
        "signature": xport_signature(KEY, timestamp, nonce or "", secret),
    } | {name.replace("_", "-"): value for name, value in replaced.items()}
    if nonce is not None:
        values["nonce-str"] = nonce
    return [(name.encode(), value.encode("latin-1")) for name, value in values.items()]


def aop_form(secret: str = NEW, **fields: str) -> bytes:
    pairs = list((fields or {"message": '{"type":"x"}'}).items())
    return urlencode([*pairs, ("_aop_signature", aop_signature(pairs, secret))]).encode()


def global_headers(body: bytes, secret: str = NEW) -> Headers:
    return [(b"authorization", global_signature(KEY, body, secret).encode())]


def signed(dialect: str, secret: str = NEW) -> tuple[Headers, bytes]:
    """An honest delivery of each dialect."""
    if dialect == "aop":
        return [], aop_form(secret)
    body = b'{"messageType":"x"}'
    return (xport_headers(secret) if dialect == "xport" else global_headers(body, secret)), body


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("secret", "index"), [(NEW, 0), (OLD, 1)])
def test_every_secret_is_accepted_and_named_by_its_index(
    dialect: str, secret: str, index: int
) -> None:
    headers, body = signed(dialect, secret)
    proof = check(source(dialect), headers, body).proof
    assert proof.secret_index == index
    assert proof.trust == ("headers" if dialect == "xport" else "body")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_secret_is_refused(dialect: str) -> None:
    headers, body = signed(dialect, "another")
    with pytest.raises(VerificationError, match="bad_signature"):
        check(source(dialect), headers, body)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_signed_is_refused(dialect: str) -> None:
    with pytest.raises(VerificationError, match="missing_"):
        check(source(dialect), [], b"message=x")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_path_token_alone_is_trusted_as_a_token(dialect: str) -> None:
    only_token = source(dialect, "path_token")
    assert check(only_token, [], b"{}", TOKEN).proof.trust == "token"
    for wrong, reason in (("", "missing_path_token"), ("x" * 32, "bad_path_token")):
        with pytest.raises(VerificationError, match=reason):
            check(only_token, [], b"{}", wrong)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_both_needs_both(dialect: str) -> None:
    headers, body = signed(dialect)
    both = source(dialect, "both")
    assert check(both, headers, body, TOKEN).proof.secret_index == 0
    with pytest.raises(VerificationError, match="missing_path_token"):
        check(both, headers, body)
    with pytest.raises(VerificationError, match="missing_"):
        check(both, [], b"message=x", TOKEN)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_verification_none_accepts_every_sender_with_trust_none(dialect: str) -> None:
    assert check(source(dialect, "none"), [], b"{}").proof.trust == "none"


def at(offset_s: float) -> datetime:
    return NOW + timedelta(seconds=offset_s)


@pytest.mark.parametrize("offset_s", [-600, -1, 0, 1, 600])
@pytest.mark.parametrize("unit", [1, 1000])
def test_a_timestamp_within_the_tolerance_is_fresh(offset_s: int, unit: int) -> None:
    timestamp = str(int(at(offset_s).timestamp()) * unit)
    assert check(source("xport"), xport_headers(timestamp=timestamp), b"{}").proof.nonce


@pytest.mark.parametrize("offset_s", [-86400, -9601, 601, 1860])
def test_a_timestamp_beyond_the_retries_or_ahead_is_stale(offset_s: int) -> None:
    timestamp = str(int(at(offset_s).timestamp()))
    with pytest.raises(VerificationError, match="stale_timestamp"):
        check(source("xport"), xport_headers(timestamp=timestamp), b"{}")


@pytest.mark.parametrize("age_s", [1860, 9000, 9600])
def test_a_retry_with_its_first_headers_is_taken_as_long_as_retries_come(age_s: int) -> None:
    timestamp = str(int(at(-age_s).timestamp() * 1000))
    proof = check(source("xport"), xport_headers(timestamp=timestamp), b"{}").proof
    assert proof.nonce
    assert proof.lifetime_s == 9000 + 600 + 600


UNGUARDED: dict[str, tuple[dict[str, Any], str | None]] = {
    "without a nonce": ({}, None),
    "with a short nonce": ({}, "abc"),
    "where replays are marked": ({"replay_check": "mark"}, NONCE),
    "where replays are not looked at": ({"replay_check": "off"}, NONCE),
    "where the horizon is none": ({"retry_horizon_s": 0}, NONCE),
}


@pytest.mark.parametrize("case", UNGUARDED)
def test_the_tolerance_bounds_a_signature_that_nothing_guards(case: str) -> None:
    values, nonce = UNGUARDED[case]
    for age_s, stale in ((600, False), (601, True)):
        timestamp = str(int(at(-age_s).timestamp() * 1000))
        headers = xport_headers(timestamp=timestamp, nonce=nonce)
        if not stale:
            assert check(source("xport", **values), headers, b"{}").proof.trust == "headers"
            continue
        with pytest.raises(VerificationError, match="stale_timestamp"):
            check(source("xport", **values), headers, b"{}")


def test_a_setting_shortens_the_horizon() -> None:
    shorter = source("xport", retry_horizon_s=1800)
    timestamp = str(int(at(-2400).timestamp() * 1000))
    assert check(shorter, xport_headers(timestamp=timestamp), b"{}").proof.lifetime_s == 3000
    timestamp = str(int(at(-2401).timestamp() * 1000))
    with pytest.raises(VerificationError, match="stale_timestamp"):
        check(shorter, xport_headers(timestamp=timestamp), b"{}")


BAD_TIMES = [
    "x",
    "0",
    "-1",
    "1e9",
    "1" * 19,
    "1" * 200,
    "17000000 0",
    "１７０００００００００",
    "٠" * 10,
]


@pytest.mark.parametrize("timestamp", BAD_TIMES, ids=repr)
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    headers = [h for h in xport_headers(timestamp="0") if h[0] != b"timestamp"]
    headers.append((b"timestamp", timestamp.encode()))
    with pytest.raises(VerificationError, match=r"bad_timestamp|hostile_header"):
        check(source("xport"), headers, b"{}")


HOSTILE: dict[str, tuple[Headers, str]] = {
    "short": (xport_headers(signature="AB"), "bad_signature"),
    "long": (xport_headers(signature="A" * 33), "bad_signature"),
    "very long": (xport_headers(signature="A" * 100_000), "hostile_header"),
    "bytes": (xport_headers(signature="\xff" * 32), "hostile_header"),
    "another key": (xport_headers(access_key="other"), "bad_access_key"),
    "twice": ([*xport_headers(), (b"signature", b"A" * 32)], "repeated_header"),
    "blank": (xport_headers(signature=" "), "missing_signature"),
    "nonce twice": ([*xport_headers(), (b"nonce-str", b"x")], "repeated_header"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused(case: str) -> None:
    headers, reason = HOSTILE[case]
    with pytest.raises(VerificationError, match=reason):
        check(source("xport"), headers, b"{}")


def test_lower_case_hex_is_the_same_signature() -> None:
    signature = xport_signature(KEY, MILLISECONDS, NONCE, NEW).lower()
    assert check(source("xport"), xport_headers(signature=signature), b"{}").proof.nonce


@pytest.mark.parametrize(("nonce", "counts"), [(None, False), ("n" * 15, False), ("n" * 16, True)])
def test_a_nonce_counts_from_sixteen_characters_on(nonce: str | None, counts: bool) -> None:
    timestamp = str(int(NOW.timestamp()))
    proof = check(source("xport"), xport_headers(timestamp=timestamp, nonce=nonce), b"{}").proof
    assert bool(proof.nonce) is counts


def test_digits_moved_between_timestamp_and_nonce_prove_the_same() -> None:
    moved = xport_headers(timestamp=MILLISECONDS[:10], nonce=MILLISECONDS[10:] + NONCE)
    signed = check(source("xport"), xport_headers(), b"{}").proof
    assert check(source("xport"), moved, b"{}").proof == signed


def test_a_form_with_its_signature_twice_is_refused() -> None:
    with pytest.raises(VerificationError, match="repeated_signature"):
        check(source("aop"), [], aop_form() + b"&_aop_signature=AB")


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"message=%ff&_aop_signature=A", b"a=1" * 2 + b"&a=1" * 100_000, b"&;=%"],
    ids=["not ASCII", "not UTF-8", "a bomb", "odd"],
)
def test_a_form_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(VerificationError, match=r"bad_form|missing_signature"):
        check(source("aop"), [], body)


def test_every_field_of_a_form_is_signed() -> None:
    body = aop_form(message="{}", extra="1")
    assert check(source("aop"), [], body).proof.trust == "body"
    with pytest.raises(VerificationError, match="bad_signature"):
        check(source("aop"), [], body.replace(b"extra=1", b"extra=2"))


header_lists = st.lists(
    st.tuples(
        st.sampled_from(
            [b"access-key", b"timestamp", b"nonce-str", b"signature", b"authorization"]
        ),
        st.binary(max_size=300),
    ),
    max_size=6,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(headers=header_lists, body=st.binary(max_size=500))
def test_any_bytes_are_refused_in_one_way(dialect: str, headers: Headers, body: bytes) -> None:
    with pytest.raises(VerificationError):
        check(source(dialect), headers, body)


@pytest.mark.parametrize("dialect", ["aop", "global"])
@given(data=st.data())
def test_one_tampered_byte_of_the_body_fails(dialect: str, data: st.DataObject) -> None:
    headers, body = signed(dialect)
    place = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != body[place]))
    tampered = body[:place] + bytes([byte]) + body[place + 1 :]
    try:
        proof = check(source(dialect), headers, tampered).proof
    except VerificationError:
        return
    # The one change that is none: the case of the signature's own hex digits.
    assert dialect == "aop"
    assert tampered.lower() == body.lower()
    assert place >= body.index(b"_aop_signature=")
    assert proof.trust == "body"


@given(data=st.data())
def test_one_tampered_byte_of_what_xport_signs_fails(data: st.DataObject) -> None:
    headers = xport_headers()
    row = data.draw(st.integers(0, len(headers) - 1))
    name, value = headers[row]
    place = data.draw(st.integers(0, len(value) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != value[place]))
    tampered = value[:place] + bytes([byte]) + value[place + 1 :]
    if name == b"signature" and tampered.upper() == value.upper():
        return
    headers[row] = (name, tampered)
    with pytest.raises(VerificationError):
        check(source("xport"), headers, b"{}")


PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-dialect.md").read_text(encoding="utf-8")


def test_the_example_of_the_page_is_a_dialect() -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    namespace: dict[str, Any] = {}
    exec(compile(code, "example", "exec"), namespace)  # the page's own code
    example = namespace["EXAMPLE"]
    body = b'{"kind":"ORDER_CREATE","order":{"orderId":"1"}}'
    signature = namespace["hmac"].new(NEW.encode(), body, "sha256").hexdigest()
    request = InboundRequest(source("xport"), [(b"x-signature", signature.encode())], body, NOW)
    callback = example.parse(verify(example, request, NOW))
    assert isinstance(callback, Callback)
    assert callback.events[0].data.event_type == "order.created"
    with pytest.raises(VerificationError):
        verify(example, InboundRequest(source("xport"), [], body, NOW), NOW)
