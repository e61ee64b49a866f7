"""The published schemas: a change that is not an addition fails here."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from receiver.contract.catalogue import json_schemas
from tests.contract.pin import COMMAND, compared, main, pinned, write


class PinOutdatedWarning(UserWarning):
    """Something was added to the contract and is not pinned yet."""


def without(schemas: dict[str, dict[str, Any]], property_name: str) -> dict[str, dict[str, Any]]:
    """The schema of `order.created` with one property taken out."""
    schema = schemas["order.created.v1.json"]
    kept = {key: part for key, part in schema["properties"].items() if key != property_name}
    return {"order.created.v1.json": schema | {"properties": kept}}


@pytest.mark.filterwarnings("default::tests.contract.test_published.PinOutdatedWarning")
def test_the_published_schemas_have_only_been_added_to() -> None:
    found = compared(pinned(), json_schemas())
    broken = [str(change) for change in found if change.breaking]
    assert not broken, "the contract is stored for years: change it only by adding"
    if found:
        added = "; ".join(map(str, found))
        warnings.warn(PinOutdatedWarning(f"run `{COMMAND}` to pin: {added}"), stacklevel=1)


def test_pinning_writes_what_was_added(tmp_path: Path) -> None:
    write(without(json_schemas(), "order_no"), tmp_path)
    assert main(tmp_path) == 0
    assert pinned(tmp_path) == json_schemas()


def test_pinning_refuses_what_breaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json_schemas()
    schema = before["order.created.v1.json"]
    schema["properties"]["gone"] = {"type": "string"}
    write(before, tmp_path)
    assert main(tmp_path) == 1
    assert "BREAKS  order.created.v1.json $.gone: property removed" in capsys.readouterr().out
    assert pinned(tmp_path) == before


def test_a_removed_event_type_breaks() -> None:
    published = json_schemas()
    current = {name: schema for name, schema in published.items() if "closed" not in name}
    told = [(str(change), change.breaking) for change in compared(published, current)]
    assert told == [("order.closed.v1.json: event type removed", True)]
