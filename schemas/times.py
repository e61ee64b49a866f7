"""Times in the spellings that platforms and their languages' libraries write. Pure functions.

What names no zone is China time (docs/platform/statuses.md#time). A placeholder for
"no time" is refused: epoch 0 in any zone, and whatever else lies before 1971.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

CHINA: Final = timezone(timedelta(hours=8))
"""The zone of every platform time that names none (docs/platform/statuses.md#time)."""

YEARS: Final = range(1971, 9999)
"""The years of a real time: before them stand placeholders, after them no zone can be added."""

_MAX_CHARS: Final = 80
_MAX_EXACT: Final = 2**53
_ISO_CHARS: Final = len("2024-01-31 08:00:00")
_FIGURES_CHARS: Final = len("20180614101942000+0800")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_CHINA_EPOCH: Final = _EPOCH.astimezone(CHINA)
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECONDS: Final = range(10**9, 10**10)
_MILLISECONDS: Final = range(10**12, 10**13)
_EPOCH_UNITS: Final = {10: 1, 13: 1_000, 16: 1_000_000}
"""How many digits an epoch time has, for 300 years from 2001, to its units in a second."""
_CALENDAR_DIGITS: Final = frozenset({8, 12, 14, 17})
_ABSENT: Final = frozenset({"", "null"})
_EXPONENT: Final = re.compile(r"[0-9]\.[0-9]+[eE]\+?[0-9]{1,2}")
_NUMBER: Final = re.compile(r"(-?[0-9]+)(?:\.([0-9]+))?")

_TIME: Final = (
    r"(?:[ T,]{0,3}(?P<half>上午|下午)?(?P<hour>[0-9]{1,2})[:时点] ?(?P<minute>[0-9]{1,2})"
    r"(?:[:分] ?(?P<second>[0-9]{1,2})(?:[.,:](?P<fraction>[0-9]{1,9}))?)?[分秒]?"
    r"(?: ?(?P<ampm>[ap])\.?m\.?)?)?"
)
_ZONE: Final = r"(?P<zone>(?:gmt|utc)?[+-][0-9]{1,2}(?::?[0-9]{2})?|[a-z]{1,3}|asia/[a-z]+)"
_TAIL: Final = rf"{_TIME}(?: ?{_ZONE})?(?: ?[\[(][a-z/ ]+[)\]])?"
_WEEKDAY: Final = r"(?:[a-z]{3,9},? )?"
_MONTH: Final = r"(?P<name>[a-z]{3,9})\.?"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 2026-05-20T15:40:00+08:00, 2026/5/20 15:40, 2026年5月20日 下午3:40:00
        rf"(?P<year>[0-9]{{4}})[-/.年](?P<month>[0-9]{{1,2}})[-/.月](?P<day>[0-9]{{1,2}})日?{_TAIL}",
        # 20260520, 202605201540, 20260520154000, 20180614101942000+0800, 20260520T154000Z
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?:T?(?P<hour>[0-9]{2})"
        r"(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,]?(?P<fraction>[0-9]{1,9}))?)?)?"
        rf"(?: ?{_ZONE})?",
        # May 20, 2026 3:40:00 PM, Wed May 20 2026 15:40:00 GMT+0800 (China Standard Time)
        rf"{_WEEKDAY}{_MONTH} (?P<day>[0-9]{{1,2}}),? (?P<year>[0-9]{{4}}){_TAIL}",
        # Wed, 20 May 2026 07:40:00 GMT
        rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})[ -]{_MONTH}[ -](?P<year>[0-9]{{4}}){_TAIL}",
        # Wed May 20 15:40:00 CST 2026
        rf"{_WEEKDAY}{_MONTH} (?P<day>[0-9]{{1,2}}){_TIME}(?: {_ZONE})? (?P<year>[0-9]{{4}})",
    )
)
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            *("january", "february", "march", "april", "may", "june", "july", "august"),
            *("september", "october", "november", "december"),
        ),
        start=1,
    )
    for name in (names, names[:3])
} | {"sept": 9}
_ZONES: Final = {
    "": CHINA,
    "CST": CHINA,  # the platforms' clocks stand in China: never the American zone of this name
    "ASIA/SHANGHAI": CHINA,
    "Z": UTC,
    "UT": UTC,
    "UTC": UTC,
    "GMT": UTC,
}


def read_time(value: Any) -> datetime | None:
    """An aware time from text or a number; None for null, a blank text and "null".

    Epoch seconds, milliseconds and microseconds (10, 13, 16 digits, also with a fraction), dates
    in digits (8, 12, 14, 17), RFC 3339 and its relatives, and the forms of `_FORMS`. Raises
    `ValueError` for a placeholder and for what is no time.
    """
    if type(value) is str and (time := _documented(value.strip())) is not None:
        return time  # as most come
    if type(value) is int and value in _MILLISECONDS:
        return _CHINA_EPOCH + _MILLISECOND * value
    if value is None or isinstance(value, datetime):
        return value
    text = _text(value)
    if text.lower() in _ABSENT:
        return None
    if (time := _documented(text)) is not None:
        return time
    number = _NUMBER.fullmatch(text)
    if number is None or (number[2] is None and len(number[1]) in _CALENDAR_DIGITS):
        return _from_calendar(text)
    return _from_epoch(number[1], text)


def read_push_time(value: Any) -> datetime | None:
    """As `read_time`, in UTC."""
    number = value
    if type(value) is str and len(value) == 13 and value.isascii() and value.isdigit():
        number = int(value)
    if type(number) is int:  # as most come
        if number in _MILLISECONDS:
            return _EPOCH + _MILLISECOND * number
        if number in _SECONDS:
            return _EPOCH + _SECOND * number
    time = read_time(value)
    return None if time is None else time.astimezone(UTC)


def _documented(text: str) -> datetime | None:
    """`2024-01-31 08:00:00` and `20180614101942000+0800`; None for any other text."""
    if len(text) == _ISO_CHARS and text[10] in " T":
        text = f"{text}+08:00"
    elif len(text) == _FIGURES_CHARS and text[:17].isdigit():
        text = f"{text[:8]}T{text[8:14]}.{text[14:]}"
    else:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.year in YEARS else None


def _text(value: Any) -> str:
    """The spelling of a number or a text, spaces reduced to one; raises `ValueError`."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_EXACT:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _unreadable()
    text = str(value)
    if len(text) > _MAX_CHARS:
        raise _unreadable()
    if _EXPONENT.fullmatch(text):
        return format(Decimal(text), "f")
    return " ".join(text.split())


def _from_epoch(whole: str, text: str) -> datetime:
    if int(whole) <= 0:
        raise _placeholder()
    units = _EPOCH_UNITS.get(len(whole))
    if units is None:
        raise _unreadable()
    return _checked(_CHINA_EPOCH + timedelta(microseconds=int(Decimal(text) * 1_000_000 / units)))


def _from_calendar(text: str) -> datetime:
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if found is None:
        raise _unreadable()
    part = found.groupdict()
    if int(part["year"]) < YEARS.start:
        raise _placeholder()
    name = part.get("name")
    try:
        time = datetime(
            int(part["year"]),
            _MONTHS[name.lower()] if name else int(part["month"]),
            int(part["day"]),
            _hour(part),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            int((part["fraction"] or "0")[:6].ljust(6, "0")),
            _zone(part["zone"] or ""),
        )
    except (ValueError, KeyError):
        raise _unreadable() from None
    return _checked(time)


def _hour(part: dict[str, str | None]) -> int:
    hour, half = int(part["hour"] or 0), (part.get("ampm") or part.get("half") or "").lower()
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half in {"p", "下午"} else 0)


def _zone(text: str) -> timezone:
    """Raises `KeyError` or `ValueError` for a zone that is not known."""
    known = _ZONES.get(text.upper())
    if known is not None:
        return known
    sign = max(text.find("+"), text.find("-"))
    digits = text[sign + 1 :].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    if sign < 0 or not digits or int(minutes) > 59:
        raise ValueError
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if text[sign] == "-" else offset)


def _checked(time: datetime) -> datetime:
    if time.year < YEARS.start:
        raise _placeholder()
    if time.year not in YEARS:
        raise _unreadable()
    return time


def _placeholder() -> ValueError:
    return ValueError("a placeholder where a time belongs")


def _unreadable() -> ValueError:
    return ValueError("a time must be text such as 2024-01-31 08:00:00, or epoch seconds")
