"""Storing messages: what a publish promises, and the plain way to keep it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from receiver.bus.client import WireClient
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, hpub
from receiver.errors import BusError

_CONFLICTS: Final = frozenset({10071, 10158, 10164})
"""Something is stored on the guard's subject; in a cluster: another message with this id, or with
this condition, is on its way (nats-server, server/errors.json)."""
_AGAIN_S: Final = 0.02


TOO_LARGE: Final = "an event is larger than the server's max_payload"
"""Why a callback is in quarantine that could be read."""


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

    def used_by(self, guard: OutgoingMessage) -> bytes | None:
        """The body under which this process knows the guard to be stored; None where it does not
        know, or nobody holds it.
        """


class ConflictError(BusError):
    """A guard is held, by these messages or by others, or a message is under way elsewhere."""


class DirectPublish:
    """Publishes the messages of one bundle without a task, each acknowledged by itself.

    The first, the raw message, goes out alone and the others in one write once it is acknowledged:
    no event is in the stream without its raw message. With a `guard` each is stored only while the
    guard's subject is empty. The guard goes last, without an answer of its own: the server takes
    what comes on one connection in order.

    `Nats-Expected-Last-Msg-Id` would bind each to the one before in a single write, and is not
    used: on a stream with replicas its refusal leaves the stream without a leader.

    `done` is called once; with a `ConflictError` the guard has to be asked for first. `condition`,
    header lines, is for messages without a guard. Raises
    `UnsendableError`, and the library's errors where the connection is not there.
    """

    def __init__(
        self,
        client: WireClient,
        messages: Sequence[OutgoingMessage],
        guard: OutgoingMessage | None,
        done: Done,
        *,
        condition: bytes = b"",
    ) -> None:
        self._client = client
        self._done: Done | None = done
        self._replies = [client.expect(partial(self._answered, n)) for n in range(len(messages))]
        self._stored: dict[int, Stored] = {}
        if guard is not None:
            condition = while_unheld(guard)
        commands = [
            hpub(message, condition, reply)
            for message, reply in zip(messages, self._replies, strict=True)
        ]
        if guard is not None:
            commands.append(hpub(guard))
        at_once = 1 if len(messages) > 1 else len(commands)
        self._later = commands[at_once:]
        try:
            check_sendable(client, commands)
            client.write(b"".join(commands[:at_once]))
        except (BusError, NatsError, OSError):
            self.abandon()
            raise

    def abandon(self) -> None:
        """Call `done` no more."""
        self._done = None
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
        done = self._done
        self.abandon()
        if done is not None:
            done(result)


def while_unheld(guard: OutgoingMessage) -> bytes:
    """The condition that nothing is stored on the guard's subject: the *stored* one. A condition on
    the input subject is always true, without a word from the server.
    """
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
        """See `Publisher.publish`; a guard goes out first, and is waited for, and then the first
        message: no event is in the stream without its raw message.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                if guard is not None:
                    await self._claim(guard)
                if not messages:
                    return ()
                raw = await self._publish(messages[0])
                return [raw, *await asyncio.gather(*map(self._publish, messages[1:]))]
        except TimeoutError as error:
            raise BusError("no acknowledgement in time") from error

    async def _claim(self, guard: OutgoingMessage) -> None:
        """Store the guard where nobody holds it; raises `GuardTakenError` where another does.

        Its subject says who, for as long as it lives: on a stream with replicas the server looks at
        the id before the condition. One that has expired is nobody's, though the duplicate window
        remembers its id for longer.
        """
        while True:
            try:
                stored = await self._published(guard, while_unheld(guard))
            except ConflictError:
                if await self._is_ours(guard):
                    return
                await asyncio.sleep(_AGAIN_S)
            else:
                if stored.duplicate:
                    await self._is_ours(guard)
                return

    async def _is_ours(self, guard: OutgoingMessage) -> bool:
        """Whether we hold it; raises `GuardTakenError` where another does. The leader is asked: a
        replica may be behind.
        """
        stream, jetstream = self._connection.stream, self._connection.jetstream
        try:
            held = await jetstream.get_last_msg(stream, guard.subject)
        except NotFoundError:
            return False
        except (NatsError, OSError) as error:
            raise BusError(f"the guard cannot be read: {type(error).__name__}") from error
        if held.data != guard.body:
            raise GuardTakenError((held.data or b"").decode("ascii", "replace"))
        return True

    async def _publish(self, message: OutgoingMessage) -> Stored:
        """Until the server knows: in a cluster, one of the same id may be under way."""
        while True:
            try:
                return await self._published(message)
            except ConflictError:
                await asyncio.sleep(_AGAIN_S)

    async def _published(self, message: OutgoingMessage, condition: bytes = b"") -> Stored:
        answer: asyncio.Future[Sequence[Stored]] = asyncio.get_running_loop().create_future()
        try:
            publish = DirectPublish(
                self._connection.client, [message], None, resolver(answer), condition=condition
            )
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error
        try:
            (stored,) = await answer
        finally:
            publish.abandon()
        return stored


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
