"""The calls of the platform's API as rows of data. Performs no I/O.

Sources: docs/platform/calls-orders.md#1688-orders-by-edition,
docs/platform/calls-orders.md#taobao-orders-by-edition, docs/platform/logistics.md#1688-tracking.

A path marked *inferred* is that of another edition or of the upstream, one marked *unknown* no more
than a guess; any path is overridden by its endpoint's name under `[api.paths]`. An account of an
edition without a row has no such call.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from receiver.client.endpoint import Edition, Endpoint
from receiver.errors import ConfigurationError

ORDER_DETAIL: Final = Endpoint(
    "order_detail",
    "POST",
    {
        "v1": "/alibaba/order/detail",
        "v2": "/v2/alibaba/order/detail",  # inferred
        "ka": "/alibaba/ka/order/detail",  # unknown
    },
)
ORDER_LOGISTICS: Final = Endpoint(
    "order_logistics",
    "GET",
    {
        "v1": "/alibaba/order/logistics/trace",  # unknown
        "v2": "/v2/alibaba/order/logistics/trace",  # unknown
    },
)
TAOBAO_ORDER_DETAIL: Final = Endpoint(
    "taobao_order_detail",
    "GET",
    {
        "v1": "/open/order/get",  # unknown
        "v2": "/v2/taobao/order/get",  # inferred
    },
)
TAOBAO_LOGISTICS_DETAIL: Final = Endpoint(
    "taobao_logistics_detail",
    "GET",
    {
        "v1": "/open/order/logistics/detail/get",
        "v2": "/v2/taobao/order/logistics/detail/get",
    },
)

ENDPOINTS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {
        endpoint.name: endpoint
        for endpoint in (
            ORDER_DETAIL,
            ORDER_LOGISTICS,
            TAOBAO_ORDER_DETAIL,
            TAOBAO_LOGISTICS_DETAIL,
        )
    }
)
"""Every endpoint by its name."""


def resolve_paths(edition: Edition, overrides: Mapping[str, str]) -> dict[str, str]:
    """The path of each endpoint that the edition has, by name; `overrides` win.

    Raises `ConfigurationError` for an override of an unknown name or one that is not a path.
    """
    for name, path in overrides.items():
        if name not in ENDPOINTS:
            raise ConfigurationError(
                f"api.paths.{name}: no such endpoint: known are {', '.join(ENDPOINTS)}"
            )
        _check_path(name, path)
    paths = {name: row.paths[edition] for name, row in ENDPOINTS.items() if edition in row.paths}
    return paths | dict(overrides)


def _check_path(name: str, path: str) -> None:
    if not path.startswith("/") or not path.isprintable() or any(c in " ?#" for c in path):
        raise ConfigurationError(
            f"api.paths.{name}: write a path that begins with / and has no query, "
            "such as /v2/alibaba/order/detail"
        )
