"""JSON text as platforms write it, also with a fault in it. Pure functions, linear in time.

The usual text is read by a strict parser. What that one refuses is tried once more by a reader that
takes what writers in other languages let through: half of a surrogate pair, raw control characters
in a text, bytes that are not UTF-8, `NaN` and `Infinity`. Whatever such a reader changed is noted.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pydantic_core import from_json, to_json

from receiver.callback import Fault
from receiver.errors import MalformedCallbackError
from schemas.values import SpelledFloat

_BOM: Final = b"\xef\xbb\xbf"
_MAX_DEPTH: Final = 201  # as the strict parser's
_MAX_ENCODINGS: Final = 3
_ESCAPE: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\[^u]",
    re.DOTALL,
)
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""How each half of a surrogate pair begins, lone or not."""
_REPLACEMENT: Final = "\ufffd"
_AROUND: Final = " \t\r\n\ufeff"
_LONG_DECIMAL: Final = re.compile(rb"[:,\[]\s*-?(?=[0-9]+[.eE])[0-9.]{16}")
"""A number outside of a text whose decimals a float may not hold: 15 digits are always exact."""
_POINT: Final = ord(".")  # a number is looked for in an eighth of the time that bytes take
_FINE_DECIMAL: Final = re.compile(rb"\.[0-9]{4}")
"""What every such number in the range of an amount holds, found in a tenth of the time."""
_ROUNDING: Final = 1e-12
_MAX_CHARS: Final = 64  # of an amount
_EXACT_CHARS: Final = len("0.") + 14
"""A number of so many characters, a point among them, has 15 digits at most: a float holds it."""


def _spelled(text: str) -> float:
    """With its spelling where a float may be another amount: one that seems to end at a tenth of a
    fen or before it. Any other lies on the same side of every half fen as what was written.
    """
    number = float(text)
    if len(text) <= _EXACT_CHARS:
        return number
    margin = abs(number) * _ROUNDING
    if margin < number * 1000 % 1 < 1 - margin and len(text) <= _MAX_CHARS:
        return number
    return SpelledFloat.of(number, text)


_TOLERANT: Final = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
_SPELLING: Final = json.JSONDecoder(
    strict=False, parse_float=_spelled, parse_constant=lambda _: None
)


def read_json(text: bytes | str, place: str = "body", faults: list[Fault] | None = None) -> Any:
    """Parse JSON; raises `MalformedCallbackError` with line and column, never the content.

    Whole numbers keep every digit, and decimals are `SpelledFloat`s where a float may be another
    amount. A UTF-8 byte order mark is skipped, of equal keys the last wins, nesting beyond about
    200 levels and other encodings are refused. What was read in spite of a fault is noted in
    `faults`.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    data = data.removeprefix(_BOM)
    try:
        value = from_json(data, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        reason = f"not JSON: {error}"
    else:
        if _POINT in data and _holds_long_decimals(data):
            return _SPELLING.decode(data.decode())  # it has no fault, and is not too deep
        return value
    try:
        value = _tolerant(data)
    except (ValueError, RecursionError):
        raise MalformedCallbackError(reason, place=place) from None
    if faults is not None:
        faults.append(Fault(place, f"{reason}; read all the same"))
    return value


def _holds_long_decimals(data: bytes) -> bool:
    # The second search takes ten times as long as the first.
    return bool(_FINE_DECIMAL.search(data) and _LONG_DECIMAL.search(data))


def read_object(
    text: bytes | str, place: str = "body", faults: list[Fault] | None = None
) -> dict[str, Any]:
    """As `read_json`, for what must be an object; one that was encoded twice is one too."""
    value = decoded(read_json(text, place, faults), place, faults)
    if not isinstance(value, dict):
        raise MalformedCallbackError("not a JSON object", place=place)
    return value


def decoded(value: Any, place: str, faults: list[Fault] | None = None) -> Any:
    """The object or list that `value` holds as JSON text, which is noted; else `value` itself."""
    if not isinstance(value, str):
        return value
    inner: Any = value
    for _ in range(_MAX_ENCODINGS):
        if not isinstance(inner, str) or inner.strip(_AROUND)[:1] not in {"{", "[", '"'}:
            break
        try:
            inner = read_json(inner.strip(_AROUND), place, faults)
        except MalformedCallbackError:
            break
    if not isinstance(inner, dict | list) or inner is value:
        return value
    if faults is not None:
        faults.append(Fault(place, "JSON text where an object belongs: read as what it holds"))
    return inner


def _tolerant(data: bytes) -> Any:
    """Raises `ValueError` for what is no JSON, and `RecursionError`, too, where it is too deep."""
    text = data.decode("utf-8", "replace").strip(" \t\r\n\0")
    if _HALF.search(text):
        text = _ESCAPE.sub(_whole, text)
    decoder = _SPELLING if _POINT in data and _holds_long_decimals(data) else _TOLERANT
    value = decoder.decode(text)
    if text.count("[") + text.count("{") > _MAX_DEPTH:
        from_json(to_json(value))  # raises `ValueError` where it is too deep for any other reader
    return value


def _whole(escape: re.Match[str]) -> str:
    """An escape as it is; the replacement character for half a surrogate pair."""
    return _REPLACEMENT if escape[1] else escape[0]
