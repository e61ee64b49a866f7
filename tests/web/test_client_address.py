"""Only configured proxies are believed about whose request they forward."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from receiver.web.client_address import client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "1.2.3.4", "203.0.113.7"),  # not a proxy of ours: a lie
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.2.3.4, 203.0.113.7", "203.0.113.7"),  # the left one the client wrote
        ("10.0.0.1", "203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "not an address", "None"),
        ("10.0.0.1", "203.0.113.7, unknown", "None"),
        ("10.0.0.1", "unknown, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "_hidden", "None"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", '"[2001:db8::7]:4711"', "2001:db8::7"),
        ("10.0.0.1", '"203.0.113.7"', "203.0.113.7"),
        ("10.0.0.1", "fe80::7%eth0", "fe80::7"),
        ("10.0.0.1", "[fe80::7%eth0]:80", "fe80::7"),
        ("10.0.0.1", "  203.0.113.7\t,  10.0.0.2 ", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7,, 10.0.0.2:80,", "203.0.113.7"),
        ("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.007", "None"),
        ("10.0.0.1", "203.0.113.7:http", "None"),
        ("10.0.0.1", "203.0.113.7 10.0.0.2", "None"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        (None, "203.0.113.7", "None"),
        ("10.0.0.1", "9" * 100_000, "None"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(
    peer: str | None, forwarded: str, expected: str
) -> None:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert str(client_address(peer, headers, TRUSTED)) == expected
