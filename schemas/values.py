"""The small values that messages are made of: ids, words, money, currencies, times, lists.

Each `Annotated` type below reads the forms that the platforms are known to send and refuses the
rest with a `ValueError` whose text never repeats the value. A blank text is absent. A form that is
read but is not as it should be (an amount that has to be rounded) is refused with `noted`, which
carries the value: `receiver.messages.reading` puts it in place and keeps the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final, NoReturn, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.currencies import YUAN, currency_code
from schemas.times import read_push_time, read_time

MAX_ID_CHARS: Final = 128
MAX_PARTS: Final = 1_000
MAX_FEW_PARTS: Final = 20
MAX_COUNT: Final = 2**53 - 1
NOTED: Final = "noted"
"""The error type of a value that was read and is to be noted; its context holds the `value`."""


class _NoCurrency(str):
    __slots__ = ()


NO_CURRENCY: Final = _NoCurrency("XXX")
"""What a currency reads as that is none of ISO 4217: its amounts are not money that we know."""

_MAX_AMOUNT: Final = Decimal("9999999999999.99")
_MAX_AMOUNT_CHARS: Final = 64
_MAX_INT64: Final = 2**63 - 1
_MAX_FEN: Final = 999999999999999
_MAX_FEN_DIGITS: Final = len(str(_MAX_FEN))
_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal("0.00")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_PLAIN: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_ABSENT: Final = frozenset({"", "0", "null"})
"""How the senders' languages write that there is no id: an empty text, a number's default, null."""
_PLACEHOLDERS: Final = frozenset({"undefined", "none", "nil", "nan", "n/a", "(null)", "-1"})
_MAX_PLACEHOLDER_CHARS: Final = max(map(len, _PLACEHOLDERS))
_ZEROS: Final = re.compile(r"[+-]?0+(?:\.0*)?")
_LOST_DIGITS: Final = re.compile(r"[0-9]\.[0-9]+[eE]\+?[0-9]+")
_REPLACED: Final = "\ufffd"


class SpelledFloat(float):
    """A JSON number with decimals that keeps its `spelling`, which a float of 53 bits may not."""

    __slots__ = ("spelling",)
    spelling: str

    def __new__(cls, spelling: str) -> Self:
        """As `float`, from the text of a JSON number."""
        return cls.of(float(spelling), spelling)

    @classmethod
    def of(cls, value: float, spelling: str) -> Self:
        """As `float(spelling)`, which is `value`: to read a long text takes as long as the rest."""
        number = float.__new__(cls, value)
        number.spelling = spelling
        return number


def noted(reason: str, value: Any) -> PydanticCustomError:
    """The refusal of a form that was read as `value` all the same, for `reason`."""
    return PydanticCustomError(NOTED, reason, {"value": value})


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
    currency: str = Field(default=YUAN, min_length=3, max_length=3, examples=["CNY"])

    def __str__(self) -> str:
        """`100.00 CNY`."""
        return f"{self.amount:.2f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money('{self}')"

    @classmethod
    def yuan(cls, amount: Decimal, currency: str = YUAN) -> Money:
        """Money of `amount` yuan, half a fen rounded up; `ValueError` where it is out of range."""
        rounded = _in_range(amount).quantize(_CENT, ROUND_HALF_UP)
        return _money(rounded or _ZERO, currency)  # a zero has no sign


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
    if not (amount.is_finite() and -_MAX_AMOUNT <= amount <= _MAX_AMOUNT):
        _refuse("an amount must be a number in range")
    return amount


def absent_if_blank(value: Any) -> Any:
    """`value`; None for a text that says nothing."""
    return None if type(value) is str and _is_blank(value) else value


def _is_blank(text: str) -> bool:
    """Whether a text says nothing: it is empty, of spaces, or a writer's null."""
    return not text or text.isspace() or (len(text) == len("null") and text.lower() == "null")


def _whole(value: Any) -> Any:
    """A float that is a whole number as that number, where no digit was lost on the way."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_COUNT:
        return int(value)
    return value


def no_id(value: Any) -> bool:
    """Whether `value` is one of the ways to write that there is no id, with nothing to note."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        return value == 0
    return value is None or (isinstance(value, str) and value.strip().lower() in _ABSENT)


def read_id(value: Any) -> str | None:
    """Ids come as text or as numbers; a large float has already lost digits and is refused."""
    if type(value) is str and value.isdigit() and value[0] != "0" and len(value) <= MAX_ID_CHARS:
        return value  # as most come
    if type(value) is int and 0 < value <= _MAX_INT64:
        return str(value)
    if value is None:
        return None
    if type(value) is not str:
        value = _whole(value)
        if not isinstance(value, str | int) or isinstance(value, bool):
            _refuse("an id must be text or a whole number")
        value = str(value)
    text = value.strip()
    if len(text) > MAX_ID_CHARS:
        _refuse(f"an id has at most {MAX_ID_CHARS} characters")
    if len(text) > _MAX_PLACEHOLDER_CHARS and text[0] not in "+-0":  # as most are
        return text if text.isalnum() else _undamaged(text)
    if no_id(text):
        return None
    if text.lower() in _PLACEHOLDERS or _ZEROS.fullmatch(text):
        _refuse("a placeholder where an id belongs")
    return _undamaged(text)


def _undamaged(text: str) -> str:
    """Raises `ValueError` for an id that a float or a wrong encoding went through."""
    if (not text.isascii() and _REPLACED in text) or (
        text[1:2] == "." and _LOST_DIGITS.fullmatch(text)
    ):
        _refuse("an id that lost a part of it")
    return text


def at_most(limit: int) -> Callable[[Any], Any]:
    """For a list: null is an empty one, and one longer than `limit` is refused."""

    def check(value: Any) -> Any:
        if value is None:
            return ()
        if isinstance(value, list) and len(value) > limit:
            _refuse(f"a list has at most {limit} entries here")
        return value

    return check


def _word(value: Any) -> Any:
    """A code word, which some messages send as a number."""
    if type(value) is str:
        if len(value) > len("null") and not value.isspace():  # as most are
            return value
        return None if _is_blank(value) else value
    value = _whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def read_decimal(value: Any) -> Decimal | None:
    """A number from a number or text, None for a blank one; raises `ValueError`."""
    value = absent_if_blank(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        _refuse("an amount must be a number")
    if type(value) is float or type(value) is int:
        return _in_range(Decimal(str(value)))
    text = value.spelling if isinstance(value, SpelledFloat) else str(value).strip()
    if len(text) > _MAX_AMOUNT_CHARS or not _PLAIN.fullmatch(text):
        _refuse("an amount must be a number in range")
    return _in_range(Decimal(text))


def _is_figures(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _fen(value: Any) -> Money | None:
    if type(value) is int and -_MAX_FEN <= value <= _MAX_FEN:  # as most come
        return _money(value * _CENT, YUAN)
    if type(value) is str and len(value) <= _MAX_FEN_DIGITS and _is_figures(value):
        return _money(int(value) * _CENT, YUAN)
    if isinstance(value, Money):
        return value
    number = read_decimal(value)
    if number is None:
        return None
    # A text with decimals may as well mean yuan, whatever stands behind its point.
    spelled_whole = not isinstance(value, str) or _WHOLE.fullmatch(value.strip())
    if not spelled_whole or number != number.to_integral_value():
        _refuse("an amount in fen must be a whole number, written without decimals")
    return Money.yuan(number.scaleb(-2))


def _yuan(value: Any) -> Money | None:
    if isinstance(value, Money):
        return value
    number = read_decimal(value)
    if number is None:
        return None
    money = Money.yuan(number)
    if money.amount != number:
        raise noted("an amount finer than a fen: rounded, half a fen up", money)
    return money


def _currency(value: Any) -> str | None:
    if value == YUAN or type(value) is _NoCurrency:
        return str(value)
    word = _word(value)
    if word is None:
        return None
    code = currency_code(word) if isinstance(word, str) else None
    if code is None:
        raise noted("a currency must be a code of ISO 4217: its amounts are left out", NO_CURRENCY)
    return code


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


PartT = TypeVar("PartT")
Parts = Annotated[tuple[PartT, ...], BeforeValidator(at_most(MAX_PARTS))]
"""A list, empty for null; one without end is a fault before it is work."""
FewParts = Annotated[tuple[PartT, ...], BeforeValidator(at_most(MAX_FEW_PARTS))]
"""As `Parts`, for a list inside of one."""
Identifier = Annotated[str | None, BeforeValidator(read_id)]
"""An id as text, from text or a whole number; None where a placeholder stands for it."""
Word = Annotated[Annotated[str, Field(max_length=256)] | None, BeforeValidator(_word)]
"""A code word of the platform, kept as it is."""
Text = Annotated[str | None, BeforeValidator(absent_if_blank)]
"""Free text; a blank one, and "null", is absent."""
Count = Annotated[
    Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)] | None, BeforeValidator(absent_if_blank)
]
"""A number of pieces, small enough for every JSON reader."""
Fen = Annotated[Money | None, BeforeValidator(_fen)]
"""Money that the platform writes as a whole number of fen (hundredths of a yuan)."""
Yuan = Annotated[Money | None, BeforeValidator(_yuan)]
"""Money that the platform writes as decimal yuan; a part of a fen is rounded and noted."""
Currency = Annotated[str | None, BeforeValidator(_currency)]
"""A code of ISO 4217; None is the yuan, `NO_CURRENCY` one that is not known."""
Epoch = Annotated[datetime | None, BeforeValidator(read_push_time)]
"""The time of a push, most often epoch milliseconds or seconds; UTC."""
ClockTime = Annotated[datetime | None, BeforeValidator(read_time)]
"""A time in any of the platforms' spellings; aware."""
