"""NATS protocol lines, made directly: the hot path's share of what a client library does.

A batch goes out as one buffer instead of one call of the client for each message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, MaxPayloadError

from receiver.bus.codec import OutgoingMessage


def hpub(message: OutgoingMessage, more: Mapping[str, str]) -> bytes:
    """One `HPUB` of a message with `more` headers; raises `ValueError` where a header is none."""
    headers = {**message.headers, **more}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header value holds a line break")
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    total = len(head) + len(message.body)
    return b"HPUB %s %d %d\r\n%s%s\r\n" % (
        message.subject.encode(),
        len(head),
        total,
        head,
        message.body,
    )


def check_sendable(client: Client, message: OutgoingMessage, more: Mapping[str, str]) -> None:
    """Raise `MaxPayloadError` or `ValueError` where the server could not take the message.

    The client counts the body alone; a server that counts the headers, too, ends the connection.
    """
    if len(hpub(message, more)) > client.max_payload:
        raise MaxPayloadError


async def send(client: Client, commands: Sequence[bytes]) -> None:
    """Hand protocol lines to the client's own writer, in order and all at once.

    Raises the client's errors where the connection is closed or a message is too large.
    """
    if client.is_closed:
        raise ConnectionClosedError
    if any(len(command) > client.max_payload for command in commands):
        raise MaxPayloadError
    # The client has no public way to send several messages at once; its version is pinned.
    await client._send_command(b"".join(commands))  # noqa: SLF001
    await client._flush_pending()  # noqa: SLF001
