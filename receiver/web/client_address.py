"""Whose address a request has: the peer's, or what a trusted proxy wrote of it. Pure.

`X-Forwarded-For` is read from the right, because only what our own proxies appended is theirs; the
first address that is no trusted proxy's is the client's. `Forwarded` is not read: proxies that
write `X-Forwarded-For` pass on a `Forwarded` that the client wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Final

from receiver.settings.networks import Address, Network, read_address

_MAX_HOPS: Final = 32


def client_address(
    peer: str | None, headers: Sequence[tuple[bytes, bytes]], trusted: Sequence[Network]
) -> Address | None:
    """The client's address; None where it is not known: the peer has none, as on a Unix socket, or
    a trusted proxy names something that is no address, such as `unknown`.
    """
    address = read_address(peer or "")
    if address is None or not trusted or not within(address, trusted):
        return address
    written = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = [hop for hop in written.decode("latin-1").split(",") if hop.strip()]
    for hop in reversed(hops[-_MAX_HOPS:]):
        address = read_address(hop)
        if address is None or not within(address, trusted):
            return address
    return address


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds the address; IPv4 written as IPv6 counts as IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    plain = mapped or address
    return any(plain.version == network.version and plain in network for network in networks)
