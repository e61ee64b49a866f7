"""A request as the doors see it: its target, its origin, over what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from receiver.settings.networks import Address, Network, read_address
from receiver.web.client_address import client_address, within

SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that change nothing."""


class RefusedError(Exception):
    """A request is not let in; `sentence` is for whoever sent it."""

    def __init__(self, status: int, sentence: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = tuple(headers)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `path` is below `root`, the prefix that a proxy serves the console under; `peer`
    is who holds the connection, None where that is no address.
    """

    scope: Scope
    headers: Headers
    root: str
    path: str
    peer: Address | None
    from_proxy: bool
    https: bool

    @classmethod
    def of(cls, scope: Scope, trusted: Sequence[Network]) -> Visit:
        """Read the request of a scope that `placed` gave."""
        headers = Headers(scope=scope)
        peer = read_address((scope.get("client") or ("",))[0])
        from_proxy = peer is not None and within(peer, trusted)
        forwarded = headers.get("x-forwarded-proto", "") if from_proxy else ""
        root = scope.get("root_path", "")
        return cls(
            scope,
            headers,
            root,
            scope["path"].removeprefix(root),
            peer,
            from_proxy,
            https="https" in {scope.get("scheme"), forwarded.strip().lower()},
        )

    @property
    def method(self) -> str:
        """GET, POST and the like."""
        return str(self.scope["method"])

    @property
    def changes(self) -> bool:
        """Whether the request may change something."""
        return self.method not in SAFE

    @property
    def as_json(self) -> bool:
        """Whether a program asks, which a page to log in would not help."""
        return self.path.endswith(".json")

    def only(self, name: str) -> str | None:
        """The value of a header that stands once; raises `RefusedError` where it stands twice."""
        values = self.headers.getlist(name)
        if len(values) > 1:
            raise RefusedError(400, f"The header {name} stands in the request more than once.")
        return values[0] if values else None

    def sender(self, trusted: Sequence[Network]) -> Address | None:
        """The address of whoever asks, as trusted proxies tell it."""
        return client_address(str(self.peer or ""), self.headers.raw, trusted)


def placed(scope: Scope, prefix: str) -> Scope:
    """A copy of the scope whose `root_path` is the prefix, whether or not a proxy took it away."""
    copy = dict(scope, state=dict(scope.get("state") or {}))
    if prefix:
        copy["root_path"] = prefix
        if not (scope["path"] + "/").startswith(prefix + "/"):
            copy["path"] = prefix + scope["path"]
            copy["raw_path"] = prefix.encode() + scope.get("raw_path", scope["path"].encode())
    return copy
