"""The JSON Schemas and the examples: each proves the other."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from receiver.bus.codec import data_schema, decode_event, encode_event
from receiver.bus.subjects import Subjects
from receiver.contract.catalogue import example_event, json_schemas
from schemas.events import EVENT_MODELS, EventData
from schemas.json_schema import event_schema, example_data

EACH_MODEL = pytest.mark.parametrize("model", EVENT_MODELS, ids=lambda model: model.event_type)


@cache
def validator(model: type[EventData]) -> Draft202012Validator:
    schema = event_schema(model, data_schema(model.event_type))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def leaves(value: Any, place: str = "$") -> Iterator[tuple[str, Any]]:
    """Every value that holds no other, with its place; an empty list or object is one."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, f"{place}.{key}")
    elif isinstance(value, list) and value:
        for part in value:
            yield from leaves(part, f"{place}[]")
    else:
        yield place, value


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    return json_schemas()


@EACH_MODEL
def test_the_example_fits_its_schema(model: type[EventData]) -> None:
    validator(model).validate(example_data(model))


@EACH_MODEL
def test_the_example_fills_every_field(model: type[EventData]) -> None:
    example = example_data(model)
    assert set(example) == set(model.model_fields)
    assert [place for place, value in leaves(example) if value in (None, "", [], {})] == []


@EACH_MODEL
def test_the_example_survives_the_wire(
    model: type[EventData], schemas: dict[str, dict[str, Any]]
) -> None:
    event = example_event(model)
    message = encode_event(event, Subjects())
    assert decode_event(message.headers, message.body) == event
    schema = schemas[f"{model.event_type}.v1.json"]
    assert message.headers["ce-dataschema"] == schema["$id"]


@EACH_MODEL
def test_the_example_has_ids_of_19_digits_as_text_and_times_of_china(
    model: type[EventData],
) -> None:
    example = example_data(model)
    assert isinstance(example["order_id"], str)
    assert len(example["order_id"]) == 19
    assert example["order_id"].isdigit()
    times = [value for place, value in leaves(example) if place.endswith(("_at", ".time"))]
    assert all(time.endswith("+08:00") for time in times)


@EACH_MODEL
def test_an_event_of_a_later_version_still_fits(model: type[EventData]) -> None:
    later = {"added_later": {"any": "thing"}, "channel": "a later channel"}
    validator(model).validate(example_data(model) | later)


@EACH_MODEL
def test_an_event_stored_before_a_field_was_added_still_fits(model: type[EventData]) -> None:
    validator(model).validate({"channel": "1688"})


@pytest.mark.parametrize("amount", [100, 100.0, "100", "100.000", "1E+2", "NaN", ""], ids=repr)
def test_money_is_decimal_text_with_two_places(amount: Any) -> None:
    model = next(model for model in EVENT_MODELS if model.event_type == "payment.succeeded")
    example = deepcopy(example_data(model))
    example["amounts"]["total"]["amount"] = amount
    with pytest.raises(ValidationError):
        validator(model).validate(example)


def test_an_id_as_a_number_is_refused() -> None:
    model = EVENT_MODELS[0]
    with pytest.raises(ValidationError):
        validator(model).validate(example_data(model) | {"order_id": 3942871650123456789})


def test_each_type_has_one_file() -> None:
    assert list(json_schemas()) == [f"{model.event_type}.v1.json" for model in EVENT_MODELS]
