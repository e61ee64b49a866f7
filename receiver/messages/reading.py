"""The one reading layer of callbacks and of API replies: lenient about fields. Performs no I/O.

A body that is as its model says is validated once. Else each fault is put right where it can be,
and set to null where it cannot, and noted in both cases: what the rest says is never lost for it.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from receiver.callback import Fault
from receiver.errors import MalformedCallbackError
from receiver.messages.shapes import DROPPED, Reading, as_list, as_object
from schemas.statuses import Channel
from schemas.values import NOTED, Identifier, Money

_MAX_EXACT: Final = 2**53 - 1
_MAX_ERRORS: Final = 2_000
_MAX_ROUNDS: Final = 16
_MAX_FAULTS: Final = 20
_MAX_UNKNOWN_FIELDS: Final = 200
_MAX_PLACE_CHARS: Final = 256
_WITHOUT_REFERENCES: Final = 2
"""The last version of the format that does not look for parts that are the same object."""
_SHORT_CHARS: Final = 15
"""A whole number of so many characters is exact for every reader."""
_SHAPE: Final = bytes.maketrans(b"0123456789[:", b"0000000000,,")
_LONG_SHAPE: Final = b"," + b"0" * (_SHORT_CHARS + 1)
"""How a long number begins where `_SHAPE` is seen, signs left out; a text may look like it."""
_LEAVES: Final = frozenset({type(None), str, Money, datetime})
"""What most fields hold: nothing unknown is inside."""
_ID: Final = TypeAdapter[str | None](Identifier)
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

    def take_lone_object(self) -> None:
        """Take the one object of a list for the body; for a message that is known to have one."""
        if isinstance(self.body, list):
            reading = as_object(self.body, "")
            if reading.value is not None:
                self.body = reading.value
                self.faults.append(Fault(self.place, reading.reason))

    def require(self, value: str | None, field_name: str, *, else_: str = "missing") -> str:
        """The identity `value`; raises `MalformedCallbackError` where it could not be read.

        The reason is the field's fault, `else_` where it has none.
        """
        if value is not None:
            return value
        place = f"{self.place}.{field_name}"
        fault = next((f for f in self.faults if f"{place}.".startswith(f"{f.place}.")), None)
        raise MalformedCallbackError(fault.reason if fault else else_, place=place)


def read_leniently(
    model: type[ModelT], body: Any, place: str, *, max_errors: int = _MAX_ERRORS
) -> tuple[ModelT, tuple[Fault, ...]]:
    """`body` as `model`, with a `Fault` for each part that is not as the model says.

    Raises `MalformedCallbackError` where `body` is no object, or holds more faults than sense:
    more than `max_errors`.
    """
    if not isinstance(body, dict):
        raise MalformedCallbackError("not a JSON object", place=place)
    try:
        read: ModelT = model.__pydantic_validator__.validate_python(body)
    except ValidationError as error:
        first = error
    else:
        return read, ()
    return _without_faults(model, body, place, first, max_errors)


def _without_faults(
    model: type[ModelT], body: Any, place: str, error: ValidationError, max_errors: int
) -> tuple[ModelT, tuple[Fault, ...]]:
    """Each round clears the faults that the last one found; a text unfolds into a part with more
    of them, so there are several rounds, and a limit to them."""
    faults: list[Fault] = []
    for _ in range(_MAX_ROUNDS):
        if error.error_count() > max_errors:
            break
        shorter: set[tuple[int | str, ...]] = set()
        for detail in error.errors(include_url=False):
            path, reading = detail["loc"], _reading(detail)
            body = _replaced(body, reading.value, *path)
            if reading.value is DROPPED:
                shorter.add(path[:-1])
            if reading.reason and len(faults) < _MAX_FAULTS:
                where = ".".join((place, *map(str, path)))[:_MAX_PLACE_CHARS]
                faults.append(Fault(where, reading.reason))
        for path in shorter:
            body = _shortened(body, *path)
        try:
            return model.model_validate(body), tuple(faults)
        except ValidationError as again:
            error = again
    raise MalformedCallbackError("too many fields of an unexpected type", place=place)


def _reading(detail: ErrorDetails) -> Reading:
    """What a refused part is read as: itself put right, null, or nothing within a list."""
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == NOTED:
        return Reading(detail["ctx"]["value"], reason)
    if detail["type"] == "tuple_type":
        return as_list(detail["input"], reason)
    reading = Reading(None, reason)
    if detail["type"] == "model_type":
        reading = as_object(detail["input"], reason)
    if reading.value is None and isinstance(detail["loc"][-1], int):
        return Reading(DROPPED, reading.reason)
    return reading


def _replaced(value: Any, by: Any, part: int | str, *path: int | str) -> Any:
    """A copy with `by` at a place; what lies beside it is shared."""
    copy = value.copy()
    copy[part] = _replaced(value[part], by, *path) if path else by
    return copy


def _shortened(value: Any, *path: int | str) -> Any:
    """A copy without what is `DROPPED` from the list at a place."""
    if not path:
        return [part for part in value if part is not DROPPED]
    copy = value.copy()
    copy[path[0]] = _shortened(value[path[0]], *path[1:])
    return copy


def readable_id(value: Any) -> str | None:
    """`value` as an id; None where it is a placeholder or none at all."""
    try:
        return _ID.validate_python(value)
    except ValidationError:
        return None


def unknown_fields(model: BaseModel) -> Sequence[str]:
    """The dotted names of what the platform sent and the model does not know, up to a limit."""
    held = filter(None, model.__dict__.values())
    if not model.model_extra and _LEAVES.issuperset(map(type, held)):
        return ()
    return list(islice(_unknown_fields(model, ""), _MAX_UNKNOWN_FIELDS))


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
    too large for a float becomes null (the raw message keeps the original).

    By its text, since a walk through a large value takes several times as long.
    """
    plain = _is_plain(value)
    text = to_json(value) if plain else _ENCODER.encode(value).encode()
    shape = (b"," + text).translate(_SHAPE, b"-")
    if _LONG_SHAPE not in shape and b"Infinity" not in text and b"NaN" not in text:
        return value if plain else from_json(text)
    return _EXACT.decode(text.decode())


def _is_plain(value: Any) -> bool:
    """Whether it has no `SpelledFloat`, which `to_json` takes twenty times as long for as for a
    float. Marshalling refuses it, and takes less time than a walk by far.
    """
    try:
        marshal.dumps(value, _WITHOUT_REFERENCES)
    except ValueError:
        return False
    return True


def _exact_int(text: str) -> int | str:
    if len(text) <= _SHORT_CHARS:
        return int(text)
    return text if abs(number := int(text)) > _MAX_EXACT else number


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_EXACT: Final = json.JSONDecoder(parse_int=_exact_int, parse_constant=lambda _: None)
