"""The cart of 1688 goods (docs/platform/calls-carts.md#1688-cart)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from receiver.simulator.asked import Asked, NotFoundError
from receiver.simulator.calls import alibaba_creation as creation
from receiver.simulator.calls.answer import Answer
from receiver.simulator.catalogue import Channel, Shop, find_sku
from receiver.simulator.orders import Wanted
from receiver.simulator.world import CartEntry, World


def cart(world: World, channel: Channel, asked: Asked) -> dict[str, Any]:
    """What lies in the cart, by seller; the unit of `price` is not known: it is yuan as text."""
    entries = list(world.carts[channel].values())
    shops = dict.fromkeys(entry.product.shop for entry in entries)
    sellers = [_seller(world, shop, entries, asked) for shop in shops]
    return {"enableList": sellers, "disableList": []}


def taken(world: World, channel: Channel, asked: Asked) -> list[CartEntry]:
    """The entries that `cartIds` names; raises `NotFoundError`."""
    entries = [world.carts[channel].get(name) for name in dict.fromkeys(asked.integers("cartIds"))]
    found = [entry for entry in entries if entry is not None]
    if len(found) < len(entries):
        raise NotFoundError("no such entry of the cart")
    return found


def put(world: World, channel: Channel, asked: Asked, names: Sequence[str], sku: str) -> bool:
    """Put a SKU into the cart; the product stands under one of `names`."""
    product = world.catalogue.find(channel, asked.named(*names))
    found = find_sku(product, sku) if product else None
    if product is None or found is None:
        raise NotFoundError("no such product or SKU")
    quantity = asked.integer("quantity", lowest=1)
    entry = CartEntry(world.next_id(), product, found, quantity)
    world.carts[channel][entry.entry_id] = entry
    return True


def remove(world: World, channel: Channel, asked: Asked) -> bool:
    """Take entries out."""
    for entry in taken(world, channel, asked):
        world.carts[channel].pop(entry.entry_id, None)
    return True


def edit(world: World, channel: Channel, asked: Asked) -> bool:
    """Change how many of an entry there are."""
    entry = world.carts[channel].get(str(asked.integer("id")))
    if entry is None:
        raise NotFoundError("no such entry of the cart")
    entry.quantity = asked.integer("quantity", lowest=1)
    return True


def wanted(entries: Sequence[CartEntry]) -> list[Wanted]:
    """The lines that entries of a cart become."""
    return [Wanted(entry.product, entry.sku, entry.quantity) for entry in entries]


def _seller(world: World, shop: Shop, entries: Sequence[CartEntry], asked: Asked) -> dict[str, Any]:
    held = [_entry(world, entry, asked) for entry in entries if entry.product.shop is shop]
    return {
        "sellerOpenId": shop.open_id,
        "sellerNickName": shop.nick,
        "cartItemInfos": held,
    }


def _entry(world: World, entry: CartEntry, asked: Asked) -> dict[str, Any]:
    product, sku = entry.product, entry.sku
    name = {"offerMapId": product.opaque_id}
    if asked.edition != "v2":
        name = {"offerId": product.product_id}
    return {
        "id": int(entry.entry_id),
        **name,
        "specId": sku.spec_id,
        "skuId": sku.sku_id,
        "itemTitle": product.title,
        "itemPic": None,
        "price": f"{sku.price_fen / 100:.2f}",
        "quantity": entry.quantity,
        "amountOnSale": world.stock[sku.sku_id],
        "properties": sku.colour[0],
    }


def _list(world: World, asked: Asked) -> dict[str, Any]:
    return cart(world, "1688", asked)


def _add(world: World, asked: Asked) -> bool:
    return put(world, "1688", asked, ("offerMapId", "offerId"), asked.text("specId", "skuId"))


def _delete(world: World, asked: Asked) -> bool:
    return remove(world, "1688", asked)


def _edit_quantity(world: World, asked: Asked) -> bool:
    return edit(world, "1688", asked)


def _preview(world: World, asked: Asked) -> Any:
    lines = wanted(taken(world, "1688", asked))
    try:
        creation.check_lines(world, lines)
    except creation.OrderRefusedError as error:
        raise creation.preview_refused(error) from error
    return creation.preview(world, asked, lines)


def _create_order(world: World, asked: Asked) -> dict[str, Any]:
    """An order a seller; the reply is not known: it is that of the other creates."""
    lines = wanted(taken(world, "1688", asked))
    try:
        creation.check_lines(world, lines)
    except creation.OrderRefusedError as error:
        raise creation.not_created(error) from error
    remove(world, "1688", asked)
    address = None if asked.given("addressParam") is None else asked.part("addressParam")
    orders = [world.buy("1688", part, address) for part in creation.by_seller(lines)]
    return creation.created(orders[0]) if len(orders) == 1 else creation.created_several(orders)


ROWS: Final[Mapping[str, Answer]] = {
    "alibaba_cart_list": _list,
    "alibaba_cart_preview": _preview,
    "alibaba_cart_create_order": _create_order,
    "alibaba_cart_add": _add,
    "alibaba_cart_delete": _delete,
    "alibaba_cart_edit_quantity": _edit_quantity,
}
