"""The calls of the platform's API as rows of data. Performs no I/O.

Sources: docs/platform/calls-orders.md#1688-orders-by-edition,
docs/platform/calls-orders.md#taobao-orders-by-edition, docs/platform/logistics.md#1688-tracking.

A path marked *inferred* is that of another edition or of the upstream, one marked *unknown* no more
than a guess; any path is overridden by its endpoint's name under `[api.paths]`. An account of an
edition without a row has no such call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from receiver.errors import APIRejectedError, ConfigurationError

Edition = Literal["v1", "v2", "ka"]
Parameters = Mapping[str, str | None]
"""What a call is given, by the platform's names; None is left out."""

_LIMIT_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its name in our settings and logs, its method, its path by edition.

    A GET sends its parameters as the query, a POST as a JSON object; a path never holds one.
    `integers` are the parameters that the table says are `int`: bare numbers in a JSON body.
    """

    name: str
    method: Literal["GET", "POST"]
    paths: Mapping[Edition, str]
    integers: frozenset[str] = frozenset()

    def arguments(self, parameters: Parameters) -> dict[str, str | int]:
        """What is sent; raises `APIRejectedError` for a value that the platform could not read."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return {name: self._argument(name, value) for name, value in given.items()}

    def _argument(self, name: str, value: str) -> str | int:
        if not _is_unicode(value):
            raise APIRejectedError(f"{self.name}: {name} is not valid text, so it was not sent")
        if name not in self.integers:
            return value
        # A leading zero would be lost, and then it would be another id.
        if not (value.isascii() and value.isdigit() and len(value) <= _LIMIT_DIGITS) or (
            value != str(int(value))
        ):
            raise APIRejectedError(f"{self.name}: {name} must be a whole number")
        return int(value)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


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
