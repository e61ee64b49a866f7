"""Every spelling of a time that the senders' languages write, and what stands for no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import CHINA, read_push_time, read_time
from tests.cost import bounded_cost
from tests.every import every

AFTERNOON = datetime(2026, 5, 20, 15, 40, tzinfo=CHINA)
SECONDS = int(AFTERNOON.timestamp())

SPELLINGS: list[Any] = [
    "2026-05-20 15:40:00",
    " 2026-05-20   15:40:00 ",
    "2026-05-20 15:40",
    "2026-05-20T15:40:00",
    "2026-05-20T07:40:00Z",
    "2026-05-20T07:40:00.000Z",
    "2026-05-20T15:40:00+08:00",
    "2026-05-20T15:40:00.000000000+0800",
    "2026-05-20T15:40:00+08",
    "2026-05-20 15:40:00 +0800",
    "2026-05-20 15:40:00 CST",
    "2026-05-20 15:40:00.0",
    "2026-05-20T15:40+08:00[Asia/Shanghai]",
    "2026-05-20T03:40:00-04:00",
    "2026/05/20 15:40:00",
    "2026/5/20 15:40",
    "2026.05.20 15:40:00",
    "2026-05-20 03:40:00 PM",
    "2026年05月20日 15:40:00",
    "2026年5月20日 15时40分00秒",
    "2026年5月20日 15时40分",
    "2026年5月20日 下午3:40:00",
    "20260520154000",
    "202605201540",
    "20260520154000000",
    "20260520154000000+0800",
    "20260520074000Z",
    "20260520T154000",
    "May 20, 2026 3:40:00 PM",
    "May 20, 2026, 3:40:00\u202fPM",
    "Wed May 20 15:40:00 CST 2026",
    "Wed May 20 15:40:00 2026",
    "Wed, 20 May 2026 07:40:00 GMT",
    "Wed May 20 2026 15:40:00 GMT+0800 (China Standard Time)",
    "20-May-2026 15:40:00",
    20260520154000,
    20260520154000.0,
    SECONDS,
    SECONDS * 1000,
    SECONDS * 1_000_000,
    float(SECONDS),
    SECONDS * 1000.0,
    str(SECONDS),
    f" {SECONDS * 1000} ",
    f"{SECONDS}.000",
    f"{SECONDS / 10**9!r}E9",
    f"{SECONDS / 10**9!r}e+12",
    "Wed May 20 15:40:00 +0800 2026",
    "Wed May 20 15:40:00 GMT+08:00 2026",
    "2026-05-20 15:40:00,000",
    AFTERNOON,
]


@every(SPELLINGS)
def test_a_spelling_of_a_time_is_read(written: Any) -> None:
    assert read_time(written) == AFTERNOON


@every(SPELLINGS)
def test_a_push_time_takes_the_same_spellings_and_is_utc(written: Any) -> None:
    read = read_push_time(written)
    assert read is not None
    assert (read, read.utcoffset()) == (AFTERNOON, timedelta(0))


@pytest.mark.parametrize("written", ["20260520", "2026-05-20", "May 20, 2026"], ids=repr)
def test_a_day_begins_at_midnight_in_china(written: str) -> None:
    assert read_time(written) == datetime(2026, 5, 20, tzinfo=CHINA)


@pytest.mark.parametrize(
    ("written", "microseconds"),
    [
        ("2026-05-20T15:40:00.25+08:00", 250_000),
        ("2026-05-20T07:40:00.123456789Z", 123_456),
        ("20260520154000007+0800", 7_000),
        (SECONDS * 1000 + 913, 913_000),
        (SECONDS + 0.5, 500_000),
        (f"{SECONDS}.564", 564_000),
    ],
    ids=repr,
)
def test_a_fraction_of_a_second_is_kept(written: Any, microseconds: int) -> None:
    assert read_time(written) == AFTERNOON + timedelta(microseconds=microseconds)


PLACEHOLDERS: list[Any] = [
    0,
    "0",
    0.0,
    "0000000000",
    -1,
    "-28800000",
    "1970-01-01 08:00:00",
    "1970-01-01 00:00:00",
    "1970-01-01",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00.000+0000",
    "1969-12-31T16:00:00-08:00",
    "19700101080000000+0800",
    "19700101000000",
    "Thu Jan 01 08:00:00 CST 1970",
    "Jan 1, 1970 8:00:00 AM",
    "1970-01-20 10:35:39",  # seconds taken for milliseconds
    "0000-00-00 00:00:00",
    "0000-00-00",
    "0001-01-01 00:00:00",
    "1899-12-30 00:00:00",
]


@pytest.mark.parametrize("written", PLACEHOLDERS, ids=repr)
def test_a_placeholder_is_no_time_and_is_noted(written: Any) -> None:
    with pytest.raises(ValueError, match="a placeholder"):
        read_time(written)


@pytest.mark.parametrize("written", [None, "", "  ", "null", "NULL"], ids=repr)
def test_a_time_that_is_not_told_is_absent(written: str | None) -> None:
    assert read_time(written) is None


UNREADABLE: list[Any] = [
    "yesterday",
    "31.1.2026",
    "5/20/2026",
    "2026-02-30 00:00:00",
    "2026-05-20 25:00:00",
    "2026-05-20 13:00 PM",
    "2026-05-20 15:40:00 EST",
    "2026-05-20 15:40:00 +08:99",
    "2026-05-20 15:40:00+99:00",
    "Wed Mai 20 15:40:00 CST 2026",
    "9999-12-31 23:59:59",
    "2026-01-31T12:00:00+08:00:30",
    "٢٠٢٦-01-31",
    "123",
    1.5,
    1e300,
    float("nan"),
    float("inf"),
    10**20,
    True,
    [],
    {},
    "1" * 100,
]


@pytest.mark.parametrize("written", UNREADABLE, ids=repr)
def test_what_is_no_time_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="must be text"):
        read_time(written)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%b %d, %Y %I:%M:%S %p"])
@given(seconds=st.integers(86_400 * 366, 253_370_735_999))
def test_any_time_is_read_as_it_was_written(form: str, seconds: int) -> None:
    moment = datetime.fromtimestamp(0, CHINA) + timedelta(seconds=seconds)
    assert read_time(moment.strftime(form)) == moment


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@given(anything | st.text("0123456789-/: TZ+.年月日时分秒上午下PMamCST", max_size=90))
def test_anything_else_is_a_time_or_a_refusal(written: Any) -> None:
    try:
        read = read_time(written)
    except ValueError:
        return
    assert read is None or (read.utcoffset() is not None and 1971 <= read.year <= 9998)


def test_a_long_text_is_refused_without_work() -> None:
    for text in ("1" * 100_000, "2026-" * 20_000, " " * 1_000_000, "May " * 20):
        with bounded_cost(), pytest.raises(ValueError, match="must be text"):
            read_time(text + "x")


def test_a_push_time_is_utc() -> None:
    assert read_push_time("2026-05-20 15:40:00") == AFTERNOON.astimezone(UTC)
