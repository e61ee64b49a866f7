"""The small values that messages are made of: ids, money, times.

Each `Annotated` type below reads every form the platforms are known to send and refuses the rest
with a `ValueError` whose text never repeats the value. A blank string is read as absent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Final, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

CHINA: Final = timezone(timedelta(hours=8))
"""The zone of every platform time that names none (callbacks.md 4.5)."""

LIMIT_ID_CHARS: Final = 128
LIMIT_PARTS: Final = 1_000
LIMIT_FEW_PARTS: Final = 20
LIMIT_COUNT: Final = 2**53 - 1
_LIMIT_AMOUNT: Final = Decimal("9999999999999.99")
_LIMIT_AMOUNT_CHARS: Final = 32
_LIMIT_FEN: Final = 999999999999999
_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal("0.00")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_ISO_CHARS: Final = len("2024-01-31 08:00:00")
_EPOCH_DIGITS: Final = {10: 1, 13: 1_000}
_MINUTE: Final = timedelta(minutes=1)
_YEARS: Final = range(1970, 9999)
"""Outside of it a time is a placeholder, and cannot be told in every zone."""


def _two_places(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT)


class Money(BaseModel):
    """An amount as decimal text with two places, in the main unit of `currency` (yuan)."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[
        Decimal,
        Field(max_digits=15, decimal_places=2, examples=["100.00"]),
        AfterValidator(_two_places),
    ]
    currency: str = Field(default="CNY", min_length=3, max_length=3, examples=["CNY"])

    @classmethod
    def yuan(cls, amount: Decimal, currency: str = "CNY") -> Money:
        """Money of `amount` yuan; raises `ValueError` where it is out of range."""
        return _money(_in_range(amount).quantize(_CENT) or _ZERO, currency)  # a zero has no sign


_new: Final = Money.__new__
_set: Final = object.__setattr__


def _money(amount: Decimal, currency: str) -> Money:
    """As `Money.model_construct`, in a fifth of its time: much of a message is money."""
    money = _new(Money)
    _set(money, "__dict__", {"amount": amount, "currency": currency})
    _set(money, "__pydantic_fields_set__", {"amount", "currency"})
    _set(money, "__pydantic_extra__", None)
    _set(money, "__pydantic_private__", None)
    return money


def _in_range(amount: Decimal) -> Decimal:
    if not (amount.is_finite() and -_LIMIT_AMOUNT <= amount <= _LIMIT_AMOUNT):
        _refuse("an amount must be a number in range")
    return amount


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _identifier(value: Any) -> str | None:
    """Ids come as text or as bare integers; a float has already lost digits and is refused."""
    if value is None:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        _refuse("an id must be text or a whole number")
    text = str(value).strip()
    if len(text) > LIMIT_ID_CHARS:
        _refuse(f"an id has at most {LIMIT_ID_CHARS} characters")
    return text or None


def _at_most(limit: int) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > limit:
            _refuse(f"a list has at most {limit} entries here")
        return value

    return check


def _word(value: Any) -> Any:
    """A code word, which some messages send as a bare integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _absent_if_blank(value)


def _decimal(value: Any) -> Decimal | None:
    value = _absent_if_blank(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        _refuse("an amount must be a number")
    text = str(value).strip()
    try:
        number = Decimal(text if _is_plain(text) else "NaN")
    except ArithmeticError:
        number = Decimal("NaN")
    return _in_range(number)


def _is_plain(text: str) -> bool:
    """Whether a text is short and without what Python alone takes for part of a number."""
    return len(text) <= _LIMIT_AMOUNT_CHARS and text.isascii() and "_" not in text


def _fen(value: Any) -> Money | None:
    if type(value) is int and -_LIMIT_FEN <= value <= _LIMIT_FEN:  # as most come
        return _money(value * _CENT, "CNY")
    if isinstance(value, Money):
        return value
    number = _decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        _refuse("an amount in fen must be a whole number")
    return Money.yuan(number.scaleb(-2))


def _yuan(value: Any) -> Money | None:
    if isinstance(value, Money):
        return value
    number = _decimal(value)
    return None if number is None else Money.yuan(number)


def _epoch(value: Any) -> datetime | None:
    """Seconds (10 digits) or milliseconds (13 digits) since 1970."""
    value = _absent_if_blank(value)
    if value is None or isinstance(value, datetime):
        return value
    return _from_epoch(str(value).strip() if isinstance(value, int | str) else "")


def _from_epoch(text: str) -> datetime:
    unit = _EPOCH_DIGITS.get(len(text))
    if unit is None or not _is_digits(text):
        _refuse("a push time must be epoch seconds or milliseconds")
    return _EPOCH + timedelta(milliseconds=int(text) * 1_000 // unit)


def _clock_time(value: Any) -> datetime | None:
    """The platforms' spellings of a time; what names no zone is China time.

    `yyyy-MM-dd HH:mm:ss` (stray spaces occur), `yyyyMMddHHmmssSSSZ`, RFC 3339, epoch.
    """
    if type(value) is str and len(value) == _ISO_CHARS and (time := _in_china(value)) is not None:
        return time  # as most come
    value = _absent_if_blank(value)
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if _is_digits(text):
        return _from_epoch(text).astimezone(CHINA)
    time = _from_calendar(text)
    if time is None or time.year not in _YEARS:
        _refuse("a time must be text such as 2024-01-31 08:00:00")
    return time


def _in_china(text: str) -> datetime | None:
    """A time to the second that names no zone; None for any other text."""
    if text[10] not in " T":
        return None
    try:
        time = datetime.fromisoformat(f"{text}+08:00")
    except ValueError:
        return None
    return time if time.year in _YEARS else None


def _from_calendar(text: str) -> datetime | None:
    if len(text) == 22 and _is_digits(text[:17]):  # 20180614101942000+0800
        text = f"{text[:8]}T{text[8:14]}.{text[14:]}"
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = time.utcoffset()
    if offset is None:
        return time.replace(tzinfo=CHINA)
    return None if offset % _MINUTE else time  # RFC 3339 has no finer offset


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


PartT = TypeVar("PartT")
Parts = Annotated[tuple[PartT | None, ...] | None, BeforeValidator(_at_most(LIMIT_PARTS))]
"""A list whose entries may be null; one without end is a fault before it is work."""
FewParts = Annotated[tuple[PartT | None, ...] | None, BeforeValidator(_at_most(LIMIT_FEW_PARTS))]
"""As `Parts`, for a list inside of one."""
Identifier = Annotated[str | None, BeforeValidator(_identifier)]
"""An id as text, from text or a whole number; never from a float."""
Word = Annotated[Annotated[str, Field(max_length=256)] | None, BeforeValidator(_word)]
"""A code word of the platform, kept as it is."""
Text = Annotated[str | None, BeforeValidator(_absent_if_blank)]
"""Free text; a blank one is absent."""
Count = Annotated[
    Annotated[int, Field(ge=-LIMIT_COUNT, le=LIMIT_COUNT)] | None, BeforeValidator(_absent_if_blank)
]
"""A number of pieces, small enough for every JSON reader."""
Fen = Annotated[Money | None, BeforeValidator(_fen)]
"""Money that the platform writes as a whole number of fen (hundredths of a yuan)."""
Yuan = Annotated[Money | None, BeforeValidator(_yuan)]
"""Money that the platform writes as decimal yuan; rounded to fen."""
Epoch = Annotated[datetime | None, BeforeValidator(_epoch)]
"""A time written as epoch milliseconds or seconds; UTC."""
ClockTime = Annotated[datetime | None, BeforeValidator(_clock_time)]
"""A time in any of the platforms' spellings; aware."""
