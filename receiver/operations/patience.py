"""Publishing and deleting by a server that may restart meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import OutgoingMessage
from receiver.bus.patience import patiently
from receiver.bus.publish.contract import Publisher, Stored
from receiver.errors import BusError

_NOT_DELETED: Final = frozenset({10043, 10057})
"""There is no such message (any more)."""


async def publish(
    publisher: Publisher, messages: Sequence[OutgoingMessage], patience_s: float
) -> Sequence[Stored]:
    """Store messages, all of them new to the stream unless they are marked as duplicates.

    What is a duplicate when it is tried again may be what was stored before NATS went away, so it
    counts as new. Raises `BusError` where NATS stays away, `RefusedError` for what it never takes.
    """
    tries = 0

    async def store() -> Sequence[Stored]:
        nonlocal tries
        tries += 1
        return await publisher.publish(messages)

    stored = await patiently(store, patience_s)
    return stored if tries == 1 else [one._replace(duplicate=False) for one in stored]


async def delete(
    connection: Connection, stream: str, seq: int, patience_s: float, *, erase: bool
) -> bool:
    """Delete a message; whether it was there. To `erase` it on the disk takes some 17 ms."""

    async def ask() -> dict[str, Any]:
        client, asked = connection.client, {"seq": seq, "no_erase": not erase}
        answer = await connection.allowed(
            client, call(client, f"STREAM.MSG.DELETE.{stream}", asked)
        )
        error = answer.get("error")
        if error and error.get("err_code") not in _NOT_DELETED:
            raise BusError(f"NATS does not delete #{seq}: {error.get('description')}")
        return answer

    return "error" not in await patiently(ask, patience_s)
