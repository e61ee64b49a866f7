"""The small values: every form the platforms send, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.times import CHINA
from schemas.values import (
    MAX_PARTS,
    NO_CURRENCY,
    ClockTime,
    Count,
    Currency,
    Epoch,
    Fen,
    Identifier,
    Money,
    Parts,
    SpelledFloat,
    Text,
    Word,
    Yuan,
)
from tests.cost import bounded_cost
from tests.every import every

NOON = datetime(2026, 1, 31, 12, tzinfo=CHINA)
READERS: dict[str, TypeAdapter[Any]] = {
    "id": TypeAdapter(Identifier),
    "word": TypeAdapter(Word),
    "text": TypeAdapter(Text),
    "fen": TypeAdapter(Fen),
    "currency": TypeAdapter(Currency),
    "yuan": TypeAdapter(Yuan),
    "epoch": TypeAdapter(Epoch),
    "time": TypeAdapter(ClockTime),
    "count": TypeAdapter(Count),
    "parts": TypeAdapter(Parts[Identifier]),
}


def money(amount: str) -> Money:
    return Money(amount=Decimal(amount))


READ: list[tuple[str, Any, Any]] = [
    ("id", 2745812000123456789, "2745812000123456789"),
    ("id", " a ", "a"),
    ("id", " ", None),
    ("id", 0, None),
    ("id", "0", None),
    ("id", 0.0, None),
    ("id", "null", None),
    ("id", "NULL", None),
    ("id", 200002638011.0, "200002638011"),
    ("id", "07", "07"),
    ("id", "1E5", "1E5"),
    ("word", 0, "0"),
    ("word", " ", None),
    ("word", "null", None),
    ("word", 11.0, "11"),
    ("currency", None, None),
    ("currency", "", None),
    ("currency", "CNY", "CNY"),
    ("currency", "usd", "USD"),
    ("currency", " rmb ", "CNY"),
    ("currency", "人民币", "CNY"),
    ("currency", "元", "CNY"),
    ("currency", "¥", "CNY"),
    ("currency", "￥", "CNY"),
    ("currency", "yuan", "CNY"),
    ("currency", "CNH", "CNY"),
    ("fen", 12345, money("123.45")),
    ("fen", "12345", money("123.45")),
    ("fen", 100.0, money("1.00")),
    ("fen", -150, money("-1.50")),
    ("fen", "+12", money("0.12")),
    ("fen", 1e4, money("100.00")),
    ("fen", SpelledFloat("100.0000000000000000"), money("1.00")),
    ("fen", 999_999_999_999_999, money("9999999999999.99")),
    ("fen", "", None),
    ("fen", money("1.00"), money("1.00")),
    ("yuan", 100.1, money("100.10")),
    ("yuan", "100.10", money("100.10")),
    ("yuan", 5, money("5.00")),
    ("yuan", "1.230", money("1.23")),
    ("yuan", "1e2", money("100.00")),
    ("yuan", "100.", money("100.00")),
    ("yuan", "null", None),
    ("yuan", None, None),
    ("yuan", money("1.00"), money("1.00")),
    ("epoch", "1769832000000", NOON.astimezone(UTC)),
    ("epoch", 1769832000, NOON.astimezone(UTC)),
    ("epoch", NOON, NOON),
    ("epoch", None, None),
    ("time", "2026-01-31 12:00:00", NOON),
    ("time", " 2026-01-31   12:00:00 ", NOON),
    ("time", "20260131120000250+0800", NOON + timedelta(milliseconds=250)),
    ("time", "2026-01-31T04:00:00Z", NOON),
    ("time", "2026-01-31T12:00:00+08:00", NOON),
    ("time", "20260131040000000+0000", NOON),
    ("time", "2026-01-31T12:00:00.250+08:00", NOON + timedelta(milliseconds=250)),
    ("time", "2026-01-31", NOON - timedelta(hours=12)),
    ("time", 1769832000, NOON),
    ("time", 1769832000000, NOON),
    ("time", "1769832000000", NOON),
    ("time", NOON, NOON),
    ("time", "", None),
    ("count", "2", 2),
    ("count", 2.0, 2),
    ("count", " ", None),
    ("parts", ["1", None, 2], ("1", None, "2")),
    ("parts", [], ()),
    ("parts", None, ()),
    ("text", "", None),
    ("text", "null", None),
    ("text", "nullable", "nullable"),
    ("text", "words", "words"),
]


@every(READ)
def test_a_form_that_is_sent_is_read(form: tuple[str, Any, Any]) -> None:
    kind, written, expected = form
    assert READERS[kind].validate_python(written) == expected


def test_a_time_without_a_zone_is_china_time() -> None:
    read = READERS["time"].validate_python("2026-01-31 12:00:00")
    assert read.utcoffset() == timedelta(hours=8)


REFUSED: list[tuple[str, Any]] = [
    ("id", 1.5),
    ("id", True),
    ("id", {}),
    ("id", "9" * 129),
    ("id", "undefined"),
    ("id", "None"),
    ("id", "0.0"),
    ("id", "000000"),
    ("id", -1),
    ("id", 2.745e18),
    ("id", "2.745812000123457e+18"),
    ("id", "27\ufffd"),
    ("word", []),
    ("word", "x" * 257),
    ("fen", "1.5"),
    ("fen", "100.00"),
    ("fen", "98.50"),
    ("fen", "100."),
    ("fen", "1e4"),
    ("fen", "1.28e4"),
    ("fen", 100.5),
    ("fen", "1,000"),
    ("fen", 10**30),
    ("fen", float("nan")),
    ("fen", "x"),
    ("yuan", float("inf")),
    ("fen", "1_000"),
    ("fen", "١٢"),
    ("fen", 10**4000),
    ("fen", "1e999999999"),
    ("fen", "1e-999999999"),
    ("fen", 1_000_000_000_000_000),
    ("yuan", "9999999999999.999"),
    ("yuan", "sNaN"),
    ("yuan", "9" * 40),
    ("yuan", "1e999999999"),
    ("yuan", []),
    ("epoch", "123"),
    ("epoch", "٠" * 13),
    ("epoch", 1.5),
    ("time", "31.1.2026"),
    ("time", "2026-02-30 00:00:00"),
    ("time", "0" * 22),
    ("time", "0000-00-00 00:00:00"),
    ("time", "0001-01-01 00:00:00"),
    ("time", "9999-12-31 23:59:59"),
    ("time", "2026-01-31T12:00:00+08:00:30"),
    ("time", "٢٠٢٦-01-31"),
    ("time", "20261331123000000+0800"),
    ("time", True),
    ("time", "x" * 65),
    ("time", []),
    ("count", 1.5),
    ("count", 2**53),
    ("count", -(2**53)),
    ("parts", "12"),
    ("parts", {}),
    ("parts", [1.5]),
    ("parts", [1] * (MAX_PARTS + 1)),
]


@every(REFUSED)
def test_another_form_is_refused(form: tuple[str, Any]) -> None:
    kind, written = form
    with pytest.raises(ValidationError):
        READERS[kind].validate_python(written)


@given(st.integers(-(10**14), 10**14))
def test_fen_are_exact(fen: int) -> None:
    read = READERS["fen"].validate_python(fen)
    assert read.amount * 100 == fen


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@pytest.mark.parametrize("kind", READERS)
@given(written=anything | st.lists(anything, max_size=2))
def test_anything_else_is_a_value_or_a_refusal(kind: str, written: Any) -> None:
    try:
        READERS[kind].validate_python(written)
    except ValidationError:
        return


ROUNDED = [
    (0.285, "0.29"),
    ("12.345", "12.35"),
    (0.125, "0.13"),
    (-0.125, "-0.13"),
    (1.005, "1.01"),
    ("1.239", "1.24"),
    ("1e-999999999", "0.00"),
    ("-0.001", "0.00"),
    (SpelledFloat("0.28499999999999999999"), "0.28"),
    (SpelledFloat("0.30000000000000004"), "0.30"),
]


@pytest.mark.parametrize(("written", "expected"), ROUNDED, ids=repr)
def test_a_part_of_a_fen_is_rounded_half_up_and_noted(written: Any, expected: str) -> None:
    with pytest.raises(ValidationError, match="rounded") as refused:
        READERS["yuan"].validate_python(written)
    assert refused.value.errors()[0]["ctx"]["value"] == money(expected)


@pytest.mark.parametrize("written", ["XXX", "Taler", "RM", "US Dollar", 5, "C" * 300], ids=repr)
def test_a_currency_that_is_none_is_noted_and_known_as_none(written: Any) -> None:
    with pytest.raises(ValidationError, match="ISO 4217") as refused:
        READERS["currency"].validate_python(written)
    assert refused.value.errors()[0]["ctx"]["value"] == NO_CURRENCY


@pytest.mark.parametrize("zero", [0, "-0", -0.0], ids=repr)
def test_a_zero_has_no_sign(zero: Any) -> None:
    assert str(READERS["yuan"].validate_python(zero).amount) == "0.00"


@every(REFUSED)
def test_a_refusal_never_repeats_the_value(form: tuple[str, Any]) -> None:
    kind, written = form
    with pytest.raises(ValidationError) as refused:
        READERS[kind].validate_python(written)
    if isinstance(written, str):
        assert all(written not in detail["msg"] for detail in refused.value.errors())


def test_a_huge_exponent_is_cheap() -> None:
    with bounded_cost(), pytest.raises(ValidationError):
        READERS["fen"].validate_python("1e999999999999999999")


def test_money_beyond_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="in range"):
        Money.yuan(Decimal("1e13"))


def test_money_prints_as_a_person_reads_it() -> None:
    money = Money(amount=Decimal(1200), currency="CNY")
    assert f"{money} {money!r}" == "1200.00 CNY Money('1200.00 CNY')"
    assert str(Money.yuan(Decimal("-0.005"))) == "-0.01 CNY"
