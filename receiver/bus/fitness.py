"""What a nats-server must be, whatever its streams are. Performs no I/O."""

from __future__ import annotations

from typing import Final

from receiver.bus.client import PipeliningClient
from receiver.errors import ConfigurationError

_MIN_SERVER: Final = (2, 14)
"""The nats-server that republishes, transforms and batches as the streams need it."""
_HEADERS_BYTES: Final = 64 * 1024
"""What a message's headers may add to its body."""


def check_version(client: PipeliningClient) -> None:
    """Raise `ConfigurationError` where the server is too old."""
    version = client.server_version
    if version < _MIN_SERVER:
        raise ConfigurationError(
            f"nats-server {'.'.join(map(str, version))} is too old: "
            f"Yizhan needs {'.'.join(map(str, _MIN_SERVER))} or later (tested with 2.15)"
        )


def payload_warning(client: PipeliningClient, body_bytes: int) -> str:
    """What an operator should know where the server does not take a body of `body_bytes`; else
    empty. Such a callback is answered 413.
    """
    needed = body_bytes + _HEADERS_BYTES
    if client.max_payload >= needed:
        return ""
    return (
        f"the server's max_payload is {client.max_payload}: a callback that is larger with its "
        f"headers is answered 413, though receiver.limit_bytes is {body_bytes}: set "
        "`max_payload: 8MB` in the server's configuration, or lower receiver.limit_bytes"
    )
