"""JSON Schema of the events, made from the models: what a subscriber in any language reads.

The schemas describe what is written (pydantic's serialization mode) and leave room to grow: other
properties are allowed, a property that may be missing in older events is not required, and every
list of words is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaMode,
    JsonSchemaValue,
    models_json_schema,
)
from pydantic_core import core_schema

from schemas.events import EventData
from schemas.examples import EXAMPLES

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MONEY_PATTERN: Final = r"^-?[0-9]{1,13}\.[0-9]{2}$"
OPEN: Final = "A word that was added later: read it as `unknown`."

_MODE: Final[JsonSchemaMode] = "serialization"


class ContractSchema(GenerateJsonSchema):
    """Writes the models as a contract that can grow, without titles that only repeat a name."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Money is decimal text with two places."""
        return {"type": "string", "pattern": MONEY_PATTERN}

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """The known words, and room for new ones."""
        return open_words(super().enum_schema(schema))

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """The known words, and room for new ones."""
        return open_words(super().literal_schema(schema))

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Code generators would make a type of every title."""
        return False


def open_words(closed: Mapping[str, Any]) -> dict[str, Any]:
    """A list of words as an open one: the known words are named, any other text is valid too."""
    kept = {key: value for key, value in closed.items() if key not in {"enum", "type"}}
    known = {"type": "string", "enum": closed["enum"]}
    return kept | {"anyOf": [known, {"type": "string", "description": OPEN}]}


def event_schema(model: type[EventData], schema_id: str) -> dict[str, Any]:
    """The self-contained JSON Schema (2020-12) of one event type's data, with its example."""
    schema = model.model_json_schema(mode=_MODE, schema_generator=ContractSchema)
    parts = schema.pop("$defs", {})
    head = {"$schema": DIALECT, "$id": schema_id, "title": model.__name__}
    return head | schema | {"examples": [example_data(model)], "$defs": parts}


def shared_schemas(
    models: tuple[type[BaseModel], ...], ref_template: str
) -> dict[str, dict[str, Any]]:
    """Every schema by its model's name, their references written by `ref_template`.

    For a document that holds them all side by side, as `#/components/schemas/{model}` does.
    """
    _, definitions = models_json_schema(
        [(model, _MODE) for model in models],
        ref_template=ref_template,
        schema_generator=ContractSchema,
    )
    schemas: dict[str, dict[str, Any]] = definitions["$defs"]
    return schemas


def example_data(model: type[EventData]) -> dict[str, Any]:
    """The example of an event type as its JSON."""
    return EXAMPLES[model.event_type].model_dump(mode="json")
