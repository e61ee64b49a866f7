"""Publishing the messages of an import, however long NATS is away in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, encode_hpub
from receiver.bus.patience import patiently
from receiver.bus.publish.contract import (
    Publisher,
    RefusedError,
    Stored,
    UnsendableError,
    read_ack,
)
from receiver.bus.publish.direct import check_sendable
from receiver.bus.subjects import input_subject
from receiver.errors import BusError

PATIENCE_S: Final = 30.0
"""How long an import waits for a server that restarts."""
_ANSWER_S: Final = 5.0
_OCCUPIED: Final = frozenset({10071, 10164})
"""Something is stored on the subject, or about to be."""
_ALONE: Final = b"Nats-Expected-Last-Subject-Sequence: 0\r\n"
Result = Stored | UnsendableError


async def publish_all(
    publisher: Publisher, messages: Sequence[OutgoingMessage], *, patience_s: float = PATIENCE_S
) -> Sequence[Result]:
    """Where each message is; an error in the place of one that no server of these settings takes.

    Those that are not acknowledged are published again, for `patience_s`; then `BusError` is
    raised, as it is at once for what the server refuses.
    """
    results: dict[int, Result] = {}

    async def publish() -> None:
        left = [number for number in range(len(messages)) if number not in results]
        publishes = [publisher.publish([messages[number]]) for number in left]
        missing: BusError | None = None
        for number, answer in zip(
            left, await asyncio.gather(*publishes, return_exceptions=True), strict=True
        ):
            if isinstance(answer, UnsendableError):
                results[number] = answer
            elif isinstance(answer, BusError):
                missing = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                results[number] = answer[0]
        if missing is not None:
            raise missing

    await patiently(publish, patience_s)
    return [results[number] for number in range(len(messages))]


async def publish_alone(
    connection: Connection, message: OutgoingMessage, *, patience_s: float = PATIENCE_S
) -> bool:
    """Store a message on a subject that is empty; False where it is not. Raises `UnsendableError`
    for one that no server of these settings takes, and `BusError`.
    """

    async def publish() -> bool:
        check_sendable(connection.client, [encode_hpub(message, _ALONE)])
        headers = {**message.headers, "Nats-Expected-Last-Subject-Sequence": "0"}
        subject = input_subject(message.subject)
        try:
            reply = await connection.client.request(
                subject, message.body, _ANSWER_S, headers=headers
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        try:
            read_ack(reply.data)
        except RefusedError as error:
            if error.err_code in _OCCUPIED:
                return False
            raise
        return True

    return await patiently(publish, patience_s)
