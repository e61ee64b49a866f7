"""Every row of the platform's menu by its name, and the routes of one edition. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from receiver.client.call import AnyCall, Group
from receiver.client.calls.addresses import Addresses
from receiver.client.calls.alibaba_cart import AlibabaCart
from receiver.client.calls.alibaba_orders import AlibabaOrders
from receiver.client.calls.alibaba_products import AlibabaProducts
from receiver.client.calls.alibaba_refunds import AlibabaRefunds
from receiver.client.calls.taobao_cart import TaobaoCart
from receiver.client.calls.taobao_orders import TaobaoOrders
from receiver.client.calls.taobao_products import TaobaoProducts
from receiver.client.calls.taobao_refunds import TaobaoRefunds
from receiver.client.calls.warehouse import Warehouse
from receiver.client.endpoint import Edition, Endpoint, Route
from receiver.errors import ConfigurationError

GROUPS: Final[Mapping[str, type[Group]]] = MappingProxyType(
    {
        "alibaba.products": AlibabaProducts,
        "alibaba.orders": AlibabaOrders,
        "alibaba.cart": AlibabaCart,
        "alibaba.refunds": AlibabaRefunds,
        "taobao.products": TaobaoProducts,
        "taobao.orders": TaobaoOrders,
        "taobao.cart": TaobaoCart,
        "taobao.refunds": TaobaoRefunds,
        "addresses": Addresses,
        "warehouse": Warehouse,
    }
)
"""The groups as they stand on `PlatformAPI`."""
CALLS: Final[Mapping[str, AnyCall]] = MappingProxyType(
    {call.endpoint.name: call for group in GROUPS.values() for call in group.calls}
)
"""Every call by the name of its row."""
ENDPOINTS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {name: call.endpoint for name, call in CALLS.items()}
)
"""Every row by its name."""


def resolve_routes(edition: Edition, overrides: Mapping[str, str]) -> dict[str, Route]:
    """The route of each row that the edition has, by name; paths of `overrides` win.

    A row that the edition lacks keeps the method of another where its path is given. Raises
    `ConfigurationError` for an override of an unknown name or one that is not a path.
    """
    routes = {name: row.routes[edition] for name, row in ENDPOINTS.items() if edition in row.routes}
    for name, path in overrides.items():
        if name not in ENDPOINTS:
            near = get_close_matches(name, ENDPOINTS, n=3, cutoff=0.5)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise ConfigurationError(
                f"api.paths.{name}: no such call: {meant}docs/api.md lists them all"
            )
        _check_path(name, path)
        method = (routes.get(name) or next(iter(ENDPOINTS[name].routes.values()))).method
        routes[name] = Route("documented", method, path)
    return routes


def _check_path(name: str, path: str) -> None:
    if not path.startswith("/") or not path.isprintable() or any(c in " ?#" for c in path):
        raise ConfigurationError(
            f"api.paths.{name}: write a path that begins with / and has no query, "
            "such as /v2/alibaba/order/detail"
        )
