"""Storing messages: what a publish promises, and the plain way to keep it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, hpub
from receiver.bus.wire import OnAnswer, WireClient
from receiver.errors import BusError

_WRONG_LAST_SEQUENCE: Final = 10071


class Stored(NamedTuple):
    """Where a message is in the stream; `duplicate` if it was there already.

    What is `spooled` is on our own disk and on its way into the stream: its `stream_seq` is 0.
    """

    stream_seq: int
    duplicate: bool
    spooled: bool = False


Result = Sequence[Stored] | BusError
"""Where each message of a publish is, in order, or why they are not all stored."""
Done = Callable[[Result], None]
"""Is told the result, once."""


class RefusedError(BusError):
    """The server understood and refused; `err_code` is JetStream's."""

    def __init__(self, description: str, err_code: int) -> None:
        super().__init__(f"refused: {description}")
        self.err_code = err_code


class UnsendableError(RefusedError):
    """No server of these settings will ever take it: it is too large."""

    def __init__(self) -> None:
        super().__init__("larger than the server's max_payload", 0)


class GuardTakenError(BusError):
    """The guard's id is stored already on behalf of `owner`; nothing else was stored."""

    def __init__(self, owner: str) -> None:
        super().__init__("the guard is taken")
        self.owner = owner


class Publisher(Protocol):
    """Stores messages."""

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """Store all of `messages`, in order; raises `BusError` where one is not acknowledged.

        Idempotent: a message whose id is in the duplicate window is acknowledged, not stored
        again. After a `BusError` some may be stored all the same.

        A `guard` is one more message, stored with the others. Where its id is stored already with
        another body, `GuardTakenError` is raised and nothing is stored. (Where two use one guard
        within the same instant, what the later one had under way may be stored.)
        """


class Submitter(Protocol):
    """Stores messages for callers that do not wait: the hot path."""

    def submit(
        self, messages: Sequence[OutgoingMessage], guard: OutgoingMessage | None, done: Done
    ) -> None:
        """As `Publisher.publish`: `done` is told the result, perhaps before this returns."""


class Flight:
    """Messages on their way, each by itself, all in one write; `done` is told once.

    A guard goes out behind the messages, and they are stored only while its subject is empty. Its
    own answer is not waited for: the server takes what comes on one connection in order. Where
    the subject is not empty, `GuardHeldError` tells to look whose guard it is.

    Raises `UnsendableError`, and the library's errors where the connection is not there.
    """

    def __init__(
        self,
        client: WireClient,
        messages: Sequence[OutgoingMessage],
        guard: OutgoingMessage | None,
        done: Done,
    ) -> None:
        self._client = client
        self._done: Done | None = done
        self._missing = len(messages)
        self._stored: list[Stored | None] = [None] * len(messages)
        condition = b"" if guard is None else _only_while_empty(guard)
        self._replies = [client.expect(self._answered(number)) for number in range(len(messages))]
        commands = [
            hpub(message, condition, reply)
            for message, reply in zip(messages, self._replies, strict=True)
        ]
        if guard is not None:
            commands.append(hpub(guard))
        try:
            check_sendable(client, commands)
            client.write(b"".join(commands))
        except (BusError, NatsError, OSError):
            self.abandon()
            raise

    def abandon(self) -> None:
        """Tell nobody any more."""
        self._done = None
        for reply in self._replies:
            self._client.forget(reply)

    def _answered(self, number: int) -> OnAnswer:
        def on_answer(data: bytes) -> None:
            if self._done is None:
                return
            try:
                self._stored[number] = read_ack(data)
            except RefusedError as error:
                held = error.err_code == _WRONG_LAST_SEQUENCE
                self._end(GuardHeldError() if held else error)
                return
            except BusError as error:
                self._end(error)
                return
            self._missing -= 1
            if not self._missing:
                self._end([stored for stored in self._stored if stored is not None])

        return on_answer

    def _end(self, result: Result) -> None:
        done = self._done
        self.abandon()
        if done is not None:
            done(result)


class GuardHeldError(BusError):
    """A guard is stored already, be it ours or another's; the messages were not stored."""


def _only_while_empty(guard: OutgoingMessage) -> bytes:
    return (
        "Nats-Expected-Last-Subject-Sequence: 0\r\n"
        f"Nats-Expected-Last-Subject-Sequence-Subject: {guard.subject}\r\n"
    ).encode()


def check_sendable(client: WireClient, commands: Sequence[bytes]) -> None:
    """Raise `UnsendableError` where the server could not take a command.

    The client counts the body alone; a server that counts the headers, too, ends the connection.
    """
    limit_bytes = client.max_payload
    if any(len(command) > limit_bytes for command in commands):
        raise UnsendableError


class JetStreamPublisher:
    """Publishes each message by itself, all of one call on their way together."""

    def __init__(self, connection: Connection, *, timeout_s: float = 0.8) -> None:
        self._connection = connection
        self._timeout_s = timeout_s

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, guard: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`; a guard goes out first, and is waited for."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if guard is not None:
                    (first,) = await self._fly([guard])
                    if first.duplicate:
                        await self._check_owner(first.stream_seq, guard)
                return await self._fly(messages) if messages else ()
        except TimeoutError as error:
            raise BusError("no acknowledgement in time") from error

    async def _fly(self, messages: Sequence[OutgoingMessage]) -> Sequence[Stored]:
        answer: asyncio.Future[Sequence[Stored]] = asyncio.get_running_loop().create_future()
        try:
            flight = Flight(self._connection.client, messages, None, resolver(answer))
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        try:
            return await answer
        finally:
            flight.abandon()

    async def _check_owner(self, stream_seq: int, guard: OutgoingMessage) -> None:
        """Raise `GuardTakenError` where the stored guard is another's.

        One that has expired is nobody's: the duplicate window remembers its id for longer.
        """
        stream, jetstream = self._connection.stream, self._connection.jetstream
        try:
            try:
                stored = await jetstream.get_msg(stream, stream_seq, direct=True)
            except NotFoundError:  # a replica may be behind: only the leader knows
                stored = await jetstream.get_msg(stream, stream_seq)
        except NotFoundError:
            return
        except (NatsError, OSError) as error:
            raise BusError(f"the guard cannot be read: {type(error).__name__}") from error
        if stored.data != guard.body:
            raise GuardTakenError((stored.data or b"").decode("ascii", "replace"))


async def awaited(
    submitter: Submitter,
    messages: Sequence[OutgoingMessage],
    guard: OutgoingMessage | None = None,
) -> Sequence[Stored]:
    """What a `Submitter` tells, for a caller that waits; raises `BusError`.

    A caller that is cancelled does not cancel the write.
    """
    answer: asyncio.Future[Sequence[Stored]] = asyncio.get_running_loop().create_future()
    submitter.submit(messages, guard, resolver(answer))
    return await answer


def resolver(future: asyncio.Future[Sequence[Stored]]) -> Done:
    """What puts a result into `future`, unless its caller gave up."""

    def resolve(result: Result) -> None:
        if future.done():
            return
        if isinstance(result, BusError):
            future.set_exception(result)
        else:
            future.set_result(result)

    return resolve


def read_ack(data: bytes) -> Stored:
    """Read a PubAck; raises `BusError` where the server refused or the reply is none."""
    try:
        ack = json.loads(data)
        if "error" in ack:
            fault = ack["error"]
            raise RefusedError(fault.get("description", "no reason"), fault.get("err_code", 0))
        return Stored(stream_seq=ack["seq"], duplicate=bool(ack.get("duplicate")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BusError("the reply is no acknowledgement") from error
