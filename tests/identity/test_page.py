"""The table of fact keys in `docs/identity.md` is what the models say."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from schemas.events import EVENT_MODELS, EventData
from schemas.examples import EXAMPLES
from schemas.facts import FactKey
from schemas.times import CHINA

PAGE = Path(__file__).parents[2] / "docs" / "identity.md"
TIME = datetime(2026, 1, 31, 8, tzinfo=CHINA)


def names(key: FactKey) -> str:
    """The parts of a key, as the page writes them."""
    if key is None:
        return "event"
    named = dict.fromkeys(part.partition("=")[0] for part in key)
    return ", ".join(f"`{name}`" for name in named) or "once"


def row(model: type[EventData]) -> str:
    full = EXAMPLES[model.event_type]
    bare = model.model_validate({"channel": "1688", "order_id": "1"})
    timeless = full.model_copy(
        update={name: None for name in model.model_fields if name == "changed_at"}
    )
    cells = (full.fact_key(TIME), bare.fact_key(TIME), timeless.fact_key())
    return " | ".join((f"| `{model.event_type}`", *map(names, cells))) + " |"


@pytest.mark.parametrize("model", EVENT_MODELS, ids=lambda model: model.event_type)
def test_the_page_has_the_key_of_every_model(model: type[EventData]) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(f"| `{model.event_type}` ")] == [row(model)]
