"""Whose address a request has: the peer's, or what a proxy that we trust says of it. Pure.

`X-Forwarded-For` is read from the right, because only what our own proxies appended is theirs; the
first address that is no trusted proxy's is the client's.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_LIMIT_HOPS: Final = 32


def client_address(
    peer: str | None, headers: Sequence[tuple[bytes, bytes]], trusted: Sequence[Network]
) -> Address | None:
    """The client's address; None where the peer has none, as on a Unix socket."""
    address = _parse(peer)
    if address is None or not trusted or not within(address, trusted):
        return address
    said = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    for hop in reversed(said.decode("latin-1").split(",")[-_LIMIT_HOPS:]):
        before = _parse(hop.strip())
        if before is None:
            return address
        address = before
        if not within(address, trusted):
            return address
    return address


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address; IPv4 written as IPv6 counts as IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    plain = mapped or address
    return any(plain.version == network.version and plain in network for network in networks)


def _parse(text: str | None) -> Address | None:
    if not text or len(text) > 64:
        return None
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None
