"""The tolerant reader of JSON: what it lets through, what it refuses, and how long it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from receiver.callback import Fault
from receiver.errors import MalformedCallbackError
from receiver.messages.json_text import decoded, read_json, read_object
from schemas.values import Fen, SpelledFloat, Yuan
from tests.cost import bounded_cost

BROKEN = b'"\xff"'


def test_what_is_read_in_spite_of_a_fault_is_noted_once_with_its_place() -> None:
    faults: list[Fault] = []
    assert read_json(b'["a\nb","\\ud800"]', "here", faults) == ["a\nb", "\ufffd"]
    (fault,) = faults
    assert (fault.place, " at line " in fault.reason) == ("here", True)
    assert fault.reason.startswith("not JSON: control character")


def test_good_json_is_noted_by_nothing() -> None:
    faults: list[Fault] = []
    read_json(b'{"a":"\\ud83d\\ude00","b":0.28499999999999999999}', "here", faults)
    assert faults == []


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        (b"[0.28499999999999999999]", "0.28499999999999999999"),
        (b'{"a": -12345678901234.5678}', "-12345678901234.5678"),
        (b"[1.0050000000000000e2]", "1.0050000000000000e2"),
    ],
)
def test_decimals_that_a_float_does_not_hold_keep_their_spelling(text: bytes, spelled: str) -> None:
    value = read_json(text)
    (number,) = value.values() if isinstance(value, dict) else value
    assert isinstance(number, SpelledFloat)
    assert number.spelling == spelled


@pytest.mark.parametrize(
    "text",
    [
        b"[0.285]",
        b"[12.345,1e5,1.5e-3]",
        b'["0.28499999999999999"]',
        b"[123.12345678901234567]",
        b'[12.345,"\xff"]',
    ],
)
def test_other_decimals_are_plain_floats(text: bytes) -> None:
    assert not any(isinstance(part, SpelledFloat) for part in read_json(text))


def amount(kind: Any, number: float) -> object:
    """What a number is read as, or noted as."""
    try:
        return TypeAdapter[Any](kind).validate_python(number)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        return detail["msg"], detail.get("ctx", {}).get("value")


thousandths = st.integers(-20_000_000, 20_000_000).map(lambda number: f"{number / 1000:.3f}")
near = st.sampled_from(["", "0" * 14, "0" * 14 + "1", "4" + "9" * 16, "5" + "0" * 14 + "1"])
anywhere = st.decimals(-(10**13), 10**13, allow_nan=False, places=18).map(lambda d: f"{d:f}")


@given(st.builds(str.__add__, thousandths, near) | anywhere, st.sampled_from(["", "e-2", "E3"]))
def test_an_amount_is_read_as_it_is_spelled(decimals: str, exponent: str) -> None:
    text = decimals + exponent
    (number,) = read_json(f"[{text}]")
    assert amount(Yuan, number) == amount(Yuan, SpelledFloat(text))
    assert amount(Fen, number) == amount(Fen, SpelledFloat(text))


@pytest.mark.parametrize("text", ["0." + "1" * 62, "0." + "1" * 63])
def test_the_length_of_an_amount_is_that_of_its_spelling(text: str) -> None:
    (number,) = read_json(f"[{text}]")
    assert amount(Yuan, number) == amount(Yuan, SpelledFloat(text))


def test_half_a_pair_is_replaced_and_nothing_else_of_its_text() -> None:
    text = rb'["\\ud800","\ud83d\ude00","\uD83D\ud83d\ude00\uDE00","\ud83d\\ude00"]'
    assert read_json(text) == ["\\ud800", "\U0001f600", "\ufffd\U0001f600\ufffd", "\ufffd\\ude00"]


def test_a_spelled_float_is_written_as_a_float() -> None:
    assert json.dumps(read_json(b"[0.28499999999999999999]")) == "[0.285]"


@pytest.mark.parametrize("levels", [1, 200, 201, 202, 5_000])
@pytest.mark.parametrize("core", [b"1", BROKEN], ids=repr)
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=repr)
def test_a_broken_text_may_lie_as_deep_as_any(
    levels: int, core: bytes, opening: bytes, closing: bytes
) -> None:
    text = opening * levels + core + closing * levels
    if levels <= 201:
        assert read_json(text)
    else:
        with pytest.raises(MalformedCallbackError, match="not JSON"):
            read_json(text)


BOMBS: dict[str, bytes] = {
    "brackets": b"[" * 1_000_000,
    "closed brackets": b"[" * 500_000 + b"]" * 500_000,
    "broken texts": b"[" + b",".join([BROKEN] * 250_000) + b"]",
    "surrogates": b'"' + b"\\ud800" * 170_000 + b'"',
    "quotes": b'"' * 1_000_000,
    "digits": b"[" + b"9" * 1_000_000 + b"]",
    "digits in a text": b'["' + b"9" * 1_000_000 + b'", "\xff"]',
    "decimals": b"[" + b",".join([b"0.28499999999999999999"] * 45_000) + b"]",
    "points": b"." * 1_000_000,
    "spaces": b"[" + b" " * 1_000_000 + b"1.00000000000000000001]",
    "colons": b'{"a"' + b":" * 1_000_000 + b"1.5}",
    "keys": b"{" + b",".join(b'"%d":"\xff"' % n for n in range(60_000)) + b"}",
    "zero bytes": BROKEN + b"\0" * 1_000_000,
    "encodings": json.dumps("[" * 300_000 + "]").encode(),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_cost_of_a_megabyte_is_linear(bomb: str) -> None:
    with bounded_cost():
        try:
            read_object(BOMBS[bomb])
        except MalformedCallbackError as error:
            assert error.place == "body"  # noqa: PT017 - either end is right, in time


def test_a_text_is_decoded_three_times_and_no_more() -> None:
    text: Any = {"a": 1}
    for _ in range(3):
        text = json.dumps(text)
    assert decoded(text, "here") == {"a": 1}
    assert decoded(json.dumps(text), "here") == json.dumps(text)


@pytest.mark.parametrize("text", ["hello", '"hello"', "5", "{oops", "", '"{oops"'], ids=repr)
def test_a_text_that_holds_no_object_stays_a_text(text: str) -> None:
    faults: list[Fault] = []
    assert decoded(text, "here", faults) == text
    assert faults == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(values, st.booleans())
def test_what_other_writers_write_is_read_and_can_be_stored(value: Any, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    read = read_json(text)
    assert from_json(json.dumps(read).encode(), allow_inf_nan=True) == read


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        read = read_json(b'{"a":"' + data + b'"}')
    except MalformedCallbackError:
        return
    json.dumps(read, ensure_ascii=False).encode()
