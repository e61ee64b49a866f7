"""Names of fields in any spelling: `skuId`, `sku_id`, `SKUID`. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from receiver.messages.json_text import decoded
from schemas.api.reply import ReplyModel
from schemas.values import Money

_GENERIC: Final = frozenset(
    {
        *("success", "code", "message", "msg", "errorcode", "errormsg", "errormessage"),
        *("errorinfo", "erromsg", "resultcode", "requestid", "data", "result", "list", "items"),
        *("records", "status", "id", "url", "value"),
    }
)
"""Names that a wrapper may have as well, so that a reply is not recognised by them."""
_LONGEST_NAME: Final = 64


class _Target(NamedTuple):
    """The name that a model reads, how far down its choices a spelling stands, what is inside."""

    key: str
    rank: int
    model: type[BaseModel] | None


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a model matters for finding it in a reply; names are as the model reads them."""

    targets: MappingProxyType[str, _Target]
    marks: frozenset[str]
    bare_list: str | None
    bare_value: str | None
    bare_object: str | None
    item: type[BaseModel] | None
    """The model of an entry of `bare_list`."""
    inner: type[BaseModel] | None
    """The model of `bare_object`."""
    may_be_null: bool

    def knows(self, value: dict[str, Any]) -> bool:
        """Whether an object is recognised as the model."""
        return any(
            target.key in self.marks
            for target in map(self.targets.get, map(_plain, value))
            if target is not None
        )

    def holds_list(self, value: dict[str, Any]) -> bool:
        """Whether the list that may stand alone is in the object."""
        found = ((self.targets.get(_plain(key)), part) for key, part in value.items())
        return any(t is not None and t.key == self.bare_list and not is_blank(p) for t, p in found)


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of a model, made once."""
    targets = _targets(model)
    keys = {name: _choices(name, info)[0] for name, info in model.model_fields.items()}
    reply: type[ReplyModel] = model if issubclass(model, ReplyModel) else ReplyModel
    known_by = frozenset(keys[name] for name in reply.known_by)
    own = frozenset(key for key in keys.values() if _plain(key) not in _GENERIC)
    held = {name: _model_in(info.annotation) for name, info in model.model_fields.items()}
    return Shape(
        targets=targets,
        marks=known_by or own or frozenset(keys.values()),
        bare_list=keys.get(reply.bare_list or ""),
        bare_value=keys.get(reply.bare_value or ""),
        bare_object=keys.get(reply.bare_object or ""),
        item=held.get(reply.bare_list or ""),
        inner=held.get(reply.bare_object or ""),
        may_be_null=reply.may_be_null,
    )


def respelled(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    """`value` under the names that `model` reads, to every depth; what it does not know is kept.

    Of several spellings of one name, one with a value is taken before a blank one, then the first
    of the model's choices.
    """
    shape = shape_of(model)
    targets = shape.targets
    if shape.bare_object and not shape.knows(value):
        value = {shape.bare_object: value}
    found = [(key, part, targets.get(_plain(key))) for key, part in value.items()]
    chosen: dict[str, tuple[bool, int, str]] = {}
    for key, part, target in found:
        if target:
            claim = (is_blank(part), target.rank, key)
            chosen[target.key] = min(chosen.get(target.key, claim), claim)
    read: dict[str, Any] = {}
    for key, part, target in found:
        if target is None:
            read.setdefault(key, part)
        elif chosen[target.key][2] == key:
            read[target.key] = part if target.model is None else _inside(target.model, part)
        elif key not in chosen and not is_blank(part):
            read.setdefault(key, part)
    return read


def is_blank(value: Any) -> bool:
    """Whether a field says nothing."""
    return value is None or value in ("", "null", [], {})


def _inside(model: type[BaseModel], value: Any) -> Any:
    held = decoded(value, "data")
    if isinstance(held, list):
        return [_inside(model, part) for part in held]
    if not isinstance(held, dict):
        return held
    shape = shape_of(model)
    alone = shape.inner is not None and shape_of(shape.inner).knows(held)
    if alone or any(_plain(key) in shape.targets for key in held):
        return respelled(model, held)
    # A list in an object, or an object of numbered entries.
    return {
        key: _inside(model, part) if isinstance(part, dict | list) else part
        for key, part in held.items()
    }


def _plain(name: str) -> str:
    return _remembered(name) if len(name) <= _LONGEST_NAME else _stripped(name)


def _stripped(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


_remembered = lru_cache(maxsize=4096)(_stripped)
"""The same names come in every reply; one that is too long to be a name is not kept."""


def _choices(name: str, info: FieldInfo) -> tuple[str, ...]:
    """The names of a field, the one that its model reads first."""
    alias = info.validation_alias or info.alias
    if isinstance(alias, AliasChoices):
        return (*(choice for choice in alias.choices if isinstance(choice, str)), name)
    return (alias, name) if isinstance(alias, str) else (name,)


def _targets(model: type[BaseModel]) -> MappingProxyType[str, _Target]:
    found: dict[str, _Target] = {}
    for name, info in model.model_fields.items():
        choices = _choices(name, info)
        inner = _model_in(info.annotation)
        for rank, choice in enumerate(choices):
            found.setdefault(_plain(choice), _Target(choices[0], rank, inner))
    return MappingProxyType(found)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, alone, as a choice or in a list."""
    return next(_models_in(annotation), None)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if is_model and annotation is not Money:
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
