"""What a read shows of a change to carts and addresses whose outcome is unknown. Performs no I/O.

See `settled_orders`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from receiver.client.settlement import Verdict
from schemas.api.addresses import AddressSaveRequest, SavedAddress
from schemas.api.alibaba_cart import (
    Cart,
    CartAddRequest,
    CartDeleteRequest,
    CartItem,
    CartQuantityRequest,
)
from schemas.api.taobao_cart import TaobaoCartDeleteRequest, TaobaoCartQuantityRequest


def whole(_: Any, __: datetime) -> Mapping[str, Any]:
    """The whole cart."""
    return {}


def is_added(request: CartAddRequest, cart: Cart, _: datetime) -> Verdict:
    """An entry may have been there before, so that only its absence shows something."""
    wanted = {request.spec_id, request.sku_id, request.offer_id, request.offer_map_id} - {None}
    for item in _items(cart):
        if wanted & {item.spec_id, item.sku_id, item.offer_id, item.offer_map_id}:
            return "unknown"
    return "not done"


def is_filled(_: Any, cart: Cart, __: datetime) -> Verdict:
    """As `is_added`, where the names of an entry are not known."""
    return "unknown" if _items(cart) else "not done"


def is_deleted(
    request: CartDeleteRequest | TaobaoCartDeleteRequest, cart: Cart, _: datetime
) -> Verdict:
    """Whether the entries are gone; `unknown` where some are."""
    left = {item.id for item in _items(cart)} & set(request.cart_ids)
    if not left:
        return "done"
    return "not done" if left == set(request.cart_ids) else "unknown"


def is_counted(
    request: CartQuantityRequest | TaobaoCartQuantityRequest, cart: Cart, _: datetime
) -> Verdict:
    """Whether the entry has the quantity."""
    found = next((item for item in _items(cart) if item.id == request.id), None)
    if found is None or found.quantity is None:
        return "unknown"
    return "done" if found.quantity == request.quantity else "not done"


def of_address(request: AddressSaveRequest, _: datetime) -> Mapping[str, Any]:
    """The address that was to be changed, else all."""
    return {"id": request.id} if request.id else {}


def is_saved(
    request: AddressSaveRequest, addresses: Sequence[SavedAddress], _: datetime
) -> Verdict:
    """Whether there is an address with each value that the request gives."""
    names = [each.name for each in fields(request)]
    given = {name: getattr(request, name) for name in names if getattr(request, name) is not None}
    for address in addresses:
        if all(getattr(address, name) == value for name, value in given.items()):
            return "done"
    is_there = any(address.id == request.id for address in addresses)
    return "not done" if request.id is None or is_there else "unknown"


def _items(cart: Cart) -> list[CartItem]:
    sellers = (*cart.enable_list, *cart.disable_list)
    return [item for seller in sellers for item in seller.cart_item_infos]
