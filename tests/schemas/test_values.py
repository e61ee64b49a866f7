"""The small values: every form the platforms send, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.values import CHINA, ClockTime, Epoch, Fen, Identifier, Money, Text, Word, Yuan

NOON = datetime(2026, 1, 31, 12, tzinfo=CHINA)
READERS: dict[str, TypeAdapter[Any]] = {
    "id": TypeAdapter(Identifier),
    "word": TypeAdapter(Word),
    "text": TypeAdapter(Text),
    "fen": TypeAdapter(Fen),
    "yuan": TypeAdapter(Yuan),
    "epoch": TypeAdapter(Epoch),
    "time": TypeAdapter(ClockTime),
}


def money(amount: str) -> Money:
    return Money(amount=Decimal(amount))


READ: list[tuple[str, Any, Any]] = [
    ("id", 2745812000123456789, "2745812000123456789"),
    ("id", " a ", "a"),
    ("id", " ", None),
    ("word", 0, "0"),
    ("word", " ", None),
    ("fen", 12345, money("123.45")),
    ("fen", "12345", money("123.45")),
    ("fen", 100.0, money("1.00")),
    ("fen", -150, money("-1.50")),
    ("fen", "", None),
    ("fen", money("1.00"), money("1.00")),
    ("yuan", 100.1, money("100.10")),
    ("yuan", "100.10", money("100.10")),
    ("yuan", 5, money("5.00")),
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
    ("time", 1769832000000, NOON),
    ("time", "1769832000000", NOON),
    ("time", NOON, NOON),
    ("time", "", None),
    ("text", "", None),
    ("text", "words", "words"),
]


@pytest.mark.parametrize(("kind", "written", "expected"), READ, ids=map(repr, range(len(READ))))
def test_a_form_that_is_sent_is_read(kind: str, written: Any, expected: Any) -> None:
    assert READERS[kind].validate_python(written) == expected


def test_a_time_without_a_zone_is_china_time() -> None:
    read = READERS["time"].validate_python("2026-01-31 12:00:00")
    assert read.utcoffset() == timedelta(hours=8)


REFUSED: list[tuple[str, Any]] = [
    ("id", 1.5),
    ("id", True),
    ("id", {}),
    ("id", "9" * 129),
    ("word", []),
    ("word", "x" * 257),
    ("fen", "1.5"),
    ("fen", 10**30),
    ("fen", float("nan")),
    ("fen", "x"),
    ("yuan", float("inf")),
    ("yuan", "9" * 40),
    ("yuan", "1e999999999"),
    ("yuan", []),
    ("epoch", "123"),
    ("epoch", "٠" * 13),
    ("epoch", 1.5),
    ("time", "31.1.2026"),
    ("time", "2026-02-30 00:00:00"),
    ("time", "0" * 22),
    ("time", True),
    ("time", "x" * 65),
    ("time", []),
]


@pytest.mark.parametrize(("kind", "written"), REFUSED, ids=map(repr, range(len(REFUSED))))
def test_another_form_is_refused(kind: str, written: Any) -> None:
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


def test_money_beyond_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="in range"):
        Money.yuan(Decimal("1e13"))
