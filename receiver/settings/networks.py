"""Addresses and networks as people and proxies write them. Performs no I/O.

IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4 everywhere.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainValidator

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAX_CHARS: Final = 64
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_ENTRY: Final = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]+)(?:%[\w.-]+)?\](?::\d+)?"
    r"|(?P<dotted>[0-9.]+)(?::\d+)?"
    r"|(?P<plain>[0-9A-Fa-f:.]+)(?:%[\w.-]+)?",
    re.ASCII,
)


def read_address(text: str) -> Address | None:
    """The address in an entry such as `X-Forwarded-For` has; None where it is none.

    It may be quoted, and may have a port (IPv6 then stands in brackets) or a zone: these are no
    part of the address.
    """
    if len(text) > _MAX_CHARS:
        return None
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    found = _ENTRY.fullmatch(text)
    if found is None:
        return None
    try:
        address = ip_address(found["bracketed"] or found["dotted"] or found["plain"])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host of the settings."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def read_network(value: object) -> Network:
    """A network of the settings; raises `ValueError` with what to write instead."""
    if isinstance(value, IPv4Network | IPv6Network):
        return _as_ipv4(value)
    text = value.strip() if isinstance(value, str) else ""
    try:
        if "%" not in text:
            return _as_ipv4(ip_network(text))
    except ValueError:
        pass
    raise ValueError(_what_to_write(text))


def _as_ipv4(network: Network) -> Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        address = network.network_address.ipv4_mapped
        return IPv4Network((int(address or 0), network.prefixlen - _MAPPED.prefixlen))
    return network


def _what_to_write(text: str) -> str:
    if (address := read_address(text)) is not None:
        return f'{text!r} has a port, brackets or a zone: write "{address}"'
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return (
            'write an address or a network, such as "192.0.2.7", "10.0.0.0/8" or '
            '"2001:db8::/32"; host names are not looked up'
        )
    return (
        f'{text!r} is an address within a network: write "{network}" for the network, or '
        f'"{text.partition("/")[0]}" for the one address'
    )


def _listed(value: object) -> object:
    if isinstance(value, str):
        raise ValueError('write a list: ["10.0.0.0/8"]')  # noqa: TRY004 - pydantic wants it
    return value


Networks = Annotated[
    tuple[Annotated[Network, PlainValidator(read_network)], ...], BeforeValidator(_listed)
]
"""A setting that lists networks."""
