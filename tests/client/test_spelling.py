"""The names of fields: no two of a model can be taken for one another."""

from __future__ import annotations

from pydantic import AliasChoices, BaseModel

from receiver.client.calls.registry import CALLS
from receiver.client.spelling import respelled, shape_of
from schemas.api.reply import Envelope, ReplyModel, Verdict
from schemas.values import Money
from tests.every import every


def models_within(model: type[BaseModel], met: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """A model and all that it is made of."""
    if model not in met and model is not Money:
        met.add(model)
        for target in shape_of(model).targets.values():
            if target.model is not None:
                models_within(target.model, met)
    return met


MODELS: set[type[BaseModel]] = {Envelope, Verdict}
for call in CALLS.values():
    models_within(call.reply, MODELS)
NAMED = {model.__name__: model for model in MODELS}
OF_EACH = every(NAMED[name] for name in sorted(NAMED))


@OF_EACH
def test_every_name_of_a_field_is_read_as_that_field(model: type[BaseModel]) -> None:
    for name, info in model.model_fields.items():
        alias = info.validation_alias or info.alias or name
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        for spelling in (*choices, name):
            assert isinstance(spelling, str)
            assert list(respelled(model, {spelling: 7})) == [choices[0]], spelling


def test_many_models_are_found() -> None:
    assert len(NAMED) == len(MODELS) > 70


@OF_EACH
def test_every_field_may_be_absent(model: type[BaseModel]) -> None:
    assert model.model_validate({}).model_dump() is not None
    if issubclass(model, ReplyModel):
        alone = {model.bare_list, model.bare_value, model.bare_object} - {None}
        assert {*model.known_by, *alone} <= model.model_fields.keys()
        assert all(hasattr(model.model_construct(), name) for name in model.identified_by)
