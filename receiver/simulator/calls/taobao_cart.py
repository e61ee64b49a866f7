"""The cart of Taobao goods (docs/platform/calls-carts.md#taobao-cart).

Of these calls no reply is known: they answer as those of the 1688 cart and of Taobao's orders do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from receiver.simulator.asked import Asked
from receiver.simulator.calls.alibaba_cart import cart, edit, put, remove, taken, wanted
from receiver.simulator.calls.answer import Answer
from receiver.simulator.calls.taobao_orders import check_stock, created, rendered
from receiver.simulator.world import World


def _add(world: World, asked: Asked) -> bool:
    return put(world, "taobao", asked, ("mpId",), asked.text("mpSkuId"))


def _create_order(world: World, asked: Asked) -> dict[str, Any]:
    lines = wanted(taken(world, "taobao", asked))
    check_stock(world, lines)
    remove(world, "taobao", asked)
    return created(world.buy("taobao", lines, None))


def _list(world: World, asked: Asked) -> dict[str, Any]:
    return cart(world, "taobao", asked)


def _preview(world: World, asked: Asked) -> dict[str, Any]:
    return rendered(wanted(taken(world, "taobao", asked)))


def _delete(world: World, asked: Asked) -> bool:
    return remove(world, "taobao", asked)


def _edit_quantity(world: World, asked: Asked) -> bool:
    return edit(world, "taobao", asked)


ROWS: Final[Mapping[str, Answer]] = {
    "taobao_cart_add": _add,
    "taobao_cart_create_order": _create_order,
    "taobao_cart_list": _list,
    "taobao_cart_preview": _preview,
    "taobao_cart_delete": _delete,
    "taobao_cart_edit_quantity": _edit_quantity,
}
