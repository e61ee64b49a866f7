"""The platform's own warehouses (docs/platform/logistics.md#warehouse-calls).

No reply of these calls is known, so none has data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from receiver.simulator.asked import Asked
from receiver.simulator.calls.answer import Answer
from receiver.simulator.world import World

_RECEIVER: Final = ("name", "address", "country", "city", "zip", "state")


def _estimate_freight(_world: World, asked: Asked) -> None:
    for name in ("itemId", "skuId", "currency", "price"):
        asked.text(name)
    asked.integer("quantity", lowest=1)
    receiver = Asked(asked.edition, asked.part("receiverAddress"))
    for name in _RECEIVER:
        receiver.text(name)


def _preview_freight(_world: World, _asked: Asked) -> None:
    """The request is not known."""


def _book_freight(_world: World, _asked: Asked) -> None:
    """The request is not known."""


def _update_logistics(_world: World, asked: Asked) -> None:
    """Every field may be null."""
    if asked.given("logisticInfos") is not None:
        asked.parts("logisticInfos")


def _report_inbound(_world: World, asked: Asked) -> None:
    asked.text("out_order_id")
    asked.text("logistics_tracking_number")


ROWS: Final[Mapping[str, Answer]] = {
    "warehouse_estimate_freight": _estimate_freight,
    "warehouse_preview_freight": _preview_freight,
    "warehouse_book_freight": _book_freight,
    "warehouse_update_logistics": _update_logistics,
    "warehouse_report_inbound": _report_inbound,
}
