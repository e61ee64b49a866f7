"""Addresses of the account (docs/platform/calls-carts.md#addresses)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError
from receiver.simulator.calls.answer import Answer
from receiver.simulator.world import World

_FIELDS: Final = ("name", "province", "city", "district", "address", "phone")


def _save(world: World, asked: Asked) -> None:
    """The reply holds no data; its code is 0 in the page's example."""
    fields = {name: asked.maybe_text(name) for name in _FIELDS}
    if asked.given("id") is None:
        address_id = world.next_id()
        world.addresses[address_id] = {"id": int(address_id)} | fields
        return
    stored = world.addresses.get(str(asked.integer("id")))
    if stored is None:
        raise NotFoundError("no such address")
    stored |= {name: value for name, value in fields.items() if value is not None}


def _read(world: World, asked: Asked) -> list[dict[str, Any]]:
    """The page is not known: what was saved, under the names that a save takes."""
    if asked.given("id") is None:
        return list(world.addresses.values())
    stored = world.addresses.get(str(asked.integer("id")))
    return [] if stored is None else [stored]


ROWS: Final[Mapping[str, Answer]] = {"addresses_save": _save, "addresses_read": _read}
