"""Publish without a task: the messages of one bundle, each acknowledged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from nats.errors import Error as NatsError

from receiver.bus.client import PipeliningClient
from receiver.bus.message import OutgoingMessage, encode_hpub
from receiver.bus.publish.contract import (
    OnResult,
    RefusedError,
    Result,
    Stored,
    UnsendableError,
    read_ack,
)
from receiver.errors import BusError

_CONFLICTS: Final = frozenset({10071, 10158, 10164})
"""Something is stored on the claim's subject; in a cluster: another message with this id, or with
this condition, is on its way (nats-server, server/errors.json)."""


class ConflictError(BusError):
    """A claim is held, by these messages or by others, or a message is under way elsewhere."""


class DirectPublish:
    """Publishes the messages of one bundle without a task, each acknowledged by itself.

    The first, the raw message, goes out alone and the others in one write once it is acknowledged:
    no event is in the stream without its raw message. With a `claim` each is stored only while the
    claim's subject is empty. The claim goes last, without an answer of its own: the server takes
    what comes on one connection in order.

    `Nats-Expected-Last-Msg-Id` would bind each to the one before in a single write, and is not
    used: on a stream with replicas its refusal leaves the stream without a leader.

    `on_result` is called once; with a `ConflictError` the claim has to be asked for first.
    `condition`, header lines, is for messages without a claim. Raises
    `UnsendableError`, and the library's errors where the connection is not there.
    """

    def __init__(
        self,
        client: PipeliningClient,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
        *,
        condition: bytes = b"",
    ) -> None:
        self._client = client
        self._on_result: OnResult | None = on_result
        self._replies = [client.expect(partial(self._answered, n)) for n in range(len(messages))]
        self._stored: dict[int, Stored] = {}
        if claim is not None:
            condition = while_unclaimed(claim)
        commands = [
            encode_hpub(message, condition, reply)
            for message, reply in zip(messages, self._replies, strict=True)
        ]
        if claim is not None:
            commands.append(encode_hpub(claim))
        at_once = 1 if len(messages) > 1 else len(commands)
        self._later = commands[at_once:]
        try:
            check_sendable(client, commands)
            client.write(b"".join(commands[:at_once]))
        except (BusError, NatsError, OSError):
            self.abandon()
            raise

    def abandon(self) -> None:
        """Do not call `on_result` any more."""
        self._on_result = None
        for reply in self._replies:
            self._client.forget(reply)

    def _answered(self, number: int, data: bytes) -> None:
        try:
            self._stored[number] = read_ack(data)
            later, self._later = self._later, []
            if later:
                self._client.write(b"".join(later))
        except RefusedError as error:
            self._end(ConflictError(str(error)) if error.err_code in _CONFLICTS else error)
        except BusError as error:
            self._end(error)
        except (NatsError, OSError) as error:
            self._end(BusError(f"not acknowledged: {type(error).__name__}"))
        else:
            if len(self._stored) == len(self._replies):
                self._end([self._stored[n] for n in range(len(self._replies))])

    def _end(self, result: Result) -> None:
        on_result = self._on_result
        self.abandon()
        if on_result is not None:
            on_result(result)


def while_unclaimed(claim: OutgoingMessage) -> bytes:
    """The condition that nothing is stored on the claim's subject: the *stored* one. A condition on
    the input subject is always true, without a word from the server.
    """
    return (
        "Nats-Expected-Last-Subject-Sequence: 0\r\n"
        f"Nats-Expected-Last-Subject-Sequence-Subject: {claim.subject}\r\n"
    ).encode()


def check_sendable(client: PipeliningClient, commands: Sequence[bytes]) -> None:
    """Raise `UnsendableError` where the server could not take a command.

    The client counts the body alone; a server that counts the headers, too, ends the connection.
    """
    limit_bytes = client.max_payload
    if any(len(command) > limit_bytes for command in commands):
        raise UnsendableError
