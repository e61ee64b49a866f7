"""The small values that messages are made of: ids, money, times.

Each `Annotated` type below reads every form the platforms are known to send and refuses the rest
with a `ValueError` whose text never repeats the value. A blank string is read as absent.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

CHINA: Final = timezone(timedelta(hours=8))
"""The zone of every platform time that names none (callbacks.md 4.5)."""

LIMIT_ID_CHARS: Final = 128
_LIMIT_AMOUNT: Final = Decimal(10) ** 13
_CENT: Final = Decimal("0.01")
_EPOCH_DIGITS: Final = {10: 1, 13: 1_000}


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
        if not amount.copy_abs() < _LIMIT_AMOUNT:
            raise ValueError("amount out of range")
        return cls.model_construct(amount=amount.quantize(_CENT), currency=currency)


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _identifier(value: Any) -> Any:
    """Ids come as text or as bare integers; a float has already lost digits and is refused."""
    if value is None or isinstance(value, bool | float):
        return None if value is None else _refuse("an id must be text or a whole number")
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str):
        _refuse("an id must be text or a whole number")
    text = text.strip()
    if len(text) > LIMIT_ID_CHARS:
        _refuse(f"an id has at most {LIMIT_ID_CHARS} characters")
    return text or None


def _word(value: Any) -> Any:
    """A code word, which some messages send as a bare integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _absent_if_blank(value)


def _decimal(value: Any) -> Decimal | None:
    value = _absent_if_blank(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _refuse("an amount must be a number")
    text = repr(value) if isinstance(value, float) else str(value).strip()
    try:
        number = Decimal(text) if len(text) <= 32 else None
    except ArithmeticError:
        number = None
    if number is None or not number.is_finite() or not number.copy_abs() < _LIMIT_AMOUNT:
        raise ValueError("an amount must be a number in range")
    return number


def _fen(value: Any) -> Any:
    if isinstance(value, Money):
        return value
    number = _decimal(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        _refuse("an amount in fen must be a whole number")
    return Money.yuan(number / 100)


def _yuan(value: Any) -> Any:
    if isinstance(value, Money):
        return value
    number = _decimal(value)
    return None if number is None else Money.yuan(number)


def _epoch(value: Any) -> Any:
    """Seconds (10 digits) or milliseconds (13 digits) since 1970."""
    value = _absent_if_blank(value)
    if value is None or isinstance(value, datetime):
        return value
    text = str(value).strip() if isinstance(value, int | str) else ""
    unit = _EPOCH_DIGITS.get(len(text))
    if unit is None or not (text.isascii() and text.isdigit()):
        _refuse("a push time must be epoch seconds or milliseconds")
    milliseconds = int(text) * 1_000 // (unit or 1)
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _clock_time(value: Any) -> Any:
    """The platforms' spellings of a time; what names no zone is China time.

    `yyyy-MM-dd HH:mm:ss` (stray spaces occur), `yyyyMMddHHmmssSSSZ`, RFC 3339, epoch.
    """
    value = _absent_if_blank(value)
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _epoch(value).astimezone(CHINA)
    if not isinstance(value, str) or len(value) > 64:
        _refuse("a time must be text such as 2024-01-31 08:00:00")
    text = " ".join(value.split())
    if len(text) == 22 and text[:17].isdigit():
        parsed = datetime.strptime(text[:14] + text[17:], "%Y%m%d%H%M%S%z")
        return parsed + timedelta(milliseconds=int(text[14:17]))
    if text.isdigit() and len(text) in _EPOCH_DIGITS:
        return _epoch(text).astimezone(CHINA)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a time must be text such as 2024-01-31 08:00:00") from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=CHINA)


def _refuse(reason: str) -> None:
    raise ValueError(reason)


Identifier = Annotated[str | None, BeforeValidator(_identifier)]
"""An id as text, from text or a whole number; never from a float."""
Word = Annotated[Annotated[str, Field(max_length=256)] | None, BeforeValidator(_word)]
"""A code word of the platform, kept as it is."""
Text = Annotated[str | None, BeforeValidator(_absent_if_blank)]
"""Free text; a blank one is absent."""
Fen = Annotated[Money | None, BeforeValidator(_fen)]
"""Money that the platform writes as a whole number of fen (hundredths of a yuan)."""
Yuan = Annotated[Money | None, BeforeValidator(_yuan)]
"""Money that the platform writes as decimal yuan."""
Epoch = Annotated[datetime | None, BeforeValidator(_epoch)]
"""A time written as epoch milliseconds or seconds; UTC."""
ClockTime = Annotated[datetime | None, BeforeValidator(_clock_time)]
"""A time in any of the platforms' spellings; aware."""
