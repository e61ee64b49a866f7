"""Reading platform JSON: strict about syntax, lenient about fields. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from receiver.callback import Fault
from receiver.errors import MalformedCallbackError
from schemas.statuses import Channel
from schemas.values import Money

_BOM: Final = b"\xef\xbb\xbf"
_LIMIT_EXACT: Final = 2**53 - 1
_LIMIT_ERRORS: Final = 2_000
_LIMIT_FAULTS: Final = 20
_LIMIT_UNKNOWN_FIELDS: Final = 200
_LIMIT_PLACE_CHARS: Final = 256
_INFINITE: Final = (float("inf"), float("-inf"))
_LEAVES: Final = frozenset({type(None), str, Money, datetime})
"""What most fields hold: nothing unknown is inside."""
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(slots=True)
class Message:
    """One platform message on its way to events; `faults` and `unknown_fields` gather notes.

    `message_type` is the name without the optional channel prefix, `place` where the body lies in
    the callback. `pushed_at` is the sender's clock when it pushed.
    """

    message_type: str | None
    channel: Channel
    body: Any
    place: str
    pushed_at: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)

    def read(self, model: type[ModelT]) -> ModelT:
        """The body as `model`: a field that cannot be read becomes None and is noted."""
        read, faults = read_leniently(model, self.body, self.place)
        self.faults.extend(faults)
        self.unknown_fields.extend(unknown_fields(read))
        return read

    def require(self, value: str | None, field_name: str, *, else_: str = "missing") -> str:
        """The identity `value`; raises `MalformedCallbackError` where it could not be read.

        The reason is the field's fault, `else_` where it has none.
        """
        if value is not None:
            return value
        place = f"{self.place}.{field_name}"
        fault = next((f for f in self.faults if f"{place}.".startswith(f"{f.place}.")), None)
        raise MalformedCallbackError(fault.reason if fault else else_, place=place)


def read_json(text: bytes | str, place: str = "body") -> Any:
    """Parse JSON; raises `MalformedCallbackError` that tells line and column, never the content.

    Whole numbers keep every digit. A UTF-8 byte order mark is skipped, of equal keys the last
    wins, nesting beyond about 200 levels, `NaN`, lone surrogates and other encodings are refused.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        return from_json(data.removeprefix(_BOM), allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise MalformedCallbackError(f"not JSON: {error}", place=place) from None


def read_object(text: bytes | str, place: str = "body") -> dict[str, Any]:
    """As `read_json`, for what must be an object."""
    value = read_json(text, place)
    if not isinstance(value, dict):
        raise MalformedCallbackError("not a JSON object", place=place)
    return value


def read_leniently(model: type[ModelT], body: Any, place: str) -> tuple[ModelT, tuple[Fault, ...]]:
    """Validate `body`; what does not fit is set to null and told as a `Fault`, the rest is kept.

    Raises `MalformedCallbackError` where `body` is no object at all.
    """
    if not isinstance(body, dict):
        raise MalformedCallbackError("not a JSON object", place=place)
    try:
        read: ModelT = model.__pydantic_validator__.validate_python(body)
    except ValidationError as error:
        first = error
    else:
        return read, ()
    return _without_faults(model, body, place, first)


def _without_faults(
    model: type[ModelT], body: Any, place: str, error: ValidationError
) -> tuple[ModelT, tuple[Fault, ...]]:
    """Every field is optional, so each round clears at least one fault and the last one none."""
    faults: list[Fault] = []
    while error.error_count() <= _LIMIT_ERRORS:
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            body = _cleared(body, *detail["loc"])
            if len(faults) < _LIMIT_FAULTS:
                where = ".".join((place, *map(str, detail["loc"])))[:_LIMIT_PLACE_CHARS]
                faults.append(Fault(where, detail["msg"].removeprefix("Value error, ")))
        try:
            return model.model_validate(body), tuple(faults)
        except ValidationError as again:
            error = again
    raise MalformedCallbackError("too many fields of an unexpected type", place=place)


def _cleared(value: Any, part: int | str, *path: int | str) -> Any:
    """A copy with null at a place; what lies beside it is shared."""
    copy = value.copy()
    copy[part] = _cleared(value[part], *path) if path else None
    return copy


def unknown_fields(model: BaseModel) -> Sequence[str]:
    """The dotted names of what the platform sent and the model does not know, up to a limit."""
    if not model.model_extra and _LEAVES.issuperset(map(type, model.__dict__.values())):
        return ()
    return list(islice(_unknown_fields(model, ""), _LIMIT_UNKNOWN_FIELDS))


def _unknown_fields(model: BaseModel, prefix: str) -> Iterator[str]:
    for name in model.model_extra or ():
        yield prefix + name[:64]
    for name, value in model.__dict__.items():
        if type(value) in _LEAVES:
            continue
        if isinstance(value, BaseModel):
            yield from _unknown_fields(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            for part in value:
                if isinstance(part, BaseModel):
                    yield from _unknown_fields(part, f"{prefix}{name}[].")


def exact_json(value: Any) -> Any:
    """`value` as any JSON reader can take it: whole numbers beyond 2^53 become text, and a number
    too large for a float becomes null (the raw message keeps the original)."""
    if isinstance(value, dict):
        return {key: exact_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [exact_json(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LIMIT_EXACT:
        return str(value)
    return None if value in _INFINITE else value
