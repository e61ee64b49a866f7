"""One round of group commit: bundles of messages stored as one batch, or each by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, encode_hpub, lifetime_s
from receiver.bus.publish.contract import (
    OnResult,
    RefusedError,
    Result,
    Stored,
    TooSlowError,
    UnsendableError,
    read_ack,
)
from receiver.bus.publish.direct import (
    ConflictError,
    DirectPublish,
    check_sendable,
    while_unclaimed,
)
from receiver.bus.publish.plain import JetStreamPublisher
from receiver.errors import BusError

if TYPE_CHECKING:
    from receiver.observability.spans import SendSpan

_NO_BATCH: Final = -1
_NO_BATCHES: Final = frozenset({_NO_BATCH, 10174})
"""Where an older server ignores atomic batches, and where the stream does not allow them."""
_MAX_BATCH: Final = 1000
"""Messages that the server takes as one batch, by its default limit."""


class PendingBundle:
    """The messages of one publish, and who gets the result, by when.

    `deadline` is by the event loop's clock, `on_result` None once it was called, `size` the number
    of messages with the claim, `size_bytes` what the bodies take.
    """

    __slots__ = ("claim", "deadline", "messages", "on_result", "size", "size_bytes")

    def __init__(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
        deadline: float,
    ) -> None:
        self.messages = messages
        self.claim = claim
        self.on_result: OnResult | None = on_result
        self.deadline = deadline
        self.size = len(messages) + (claim is not None)
        self.size_bytes = sum([len(message.body) for message in messages])


Settle = Callable[[PendingBundle, Result], None]


class Commit:
    """Stores bundles; `settle` gets each one's result, then `ended` is called.

    `can_batch` is False after the server turned out not to take batches; `claims` are the ids of
    the claims in it, `size` is the number of its messages. `abandon` gives up: what
    is not settled by then is not settled any more.
    """

    def __init__(
        self,
        connection: Connection,
        plain: JetStreamPublisher,
        bundles: Sequence[PendingBundle],
        settle: Settle,
        ended: Callable[[Commit], None],
    ) -> None:
        self.can_batch = True
        self.size = sum(bundle.size for bundle in bundles)
        self.claims = frozenset(b.claim.msg_id for b in bundles if b.claim is not None)
        self._connection = connection
        self._plain = plain
        self._bundles = bundles
        self._settle = settle
        self._ended: Callable[[Commit], None] | None = ended
        self._missing = len(bundles)
        self._direct: list[DirectPublish] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget_reply: Callable[[], None] = lambda: None
        self._span: SendSpan | None = None
        self._error: str | None = None

    def begin(self, *, batch: bool) -> None:
        """Send the bundles, as one batch or each by itself."""
        self._span = self._begun_span()
        if not batch or self.size > _MAX_BATCH:
            self._send_each()
            return
        try:
            self._send_batch()
        except UnsendableError:  # one of them: the others go without it
            self._send_each()
        except (BusError, NatsError, OSError) as error:
            self._fail(error)

    def abandon(self) -> None:
        """Settle what is left as not acknowledged, and end."""
        for direct in self._direct:
            direct.abandon()
        for task in self._tasks:
            task.cancel()
        self._forget_reply()
        self._fail(TooSlowError("no acknowledgement in time"))

    def _begun_span(self) -> SendSpan | None:
        """The span of this commit, where something in it is traced."""
        firsts = [bundle.messages[0] for bundle in self._bundles if bundle.messages]
        spans = [message.span for message in firsts if message.span is not None]
        return spans[0].send(spans[1:], messages=self.size) if spans else None

    def _send_batch(self) -> None:
        """One atomic batch, as one buffer; the answer to its last message stands for all."""
        client = self._connection.client
        batch = f"Nats-Batch-Id: {uuid4().hex}\r\nNats-Batch-Sequence: ".encode()
        commands: list[bytes] = []
        messages = self._conditioned()
        last, last_condition = messages.pop()
        for number, (message, condition) in enumerate(messages, start=1):
            commands.append(encode_hpub(message, b"%b%d\r\n%b" % (batch, number, condition)))
        reply = client.expect(self._answered)
        self._forget_reply = partial(client.forget, reply)
        end = b"%b%d\r\nNats-Batch-Commit: 1\r\n" % (batch, len(messages) + 1)
        commands.append(encode_hpub(last, end + last_condition, reply))
        try:
            check_sendable(client, commands)
            client.write(b"".join(commands))
        except (BusError, NatsError, OSError):
            self._forget_reply()
            raise

    def _conditioned(self) -> list[tuple[OutgoingMessage, bytes]]:
        """Each message of all bundles with its condition. The claim goes first: a batch is refused
        by what is stored already, whatever the order. The stream knows it by its id, and where it
        lives for longer than ids are known, by its subject.
        """
        window_s = self._connection.window_s
        found: list[tuple[OutgoingMessage, bytes]] = []
        for bundle in self._bundles:
            claim = bundle.claim
            if claim is not None:
                lasting = lifetime_s(claim) > window_s
                found.append((claim, while_unclaimed(claim) if lasting else b""))
            found += [(message, b"") for message in bundle.messages]
        return found

    def _answered(self, data: bytes) -> None:
        """The batch is stored, or refused as a whole: because of one duplicate (10201) or of one
        that is under way (10158), cut by its leader's death (10176), or by an older server.
        """
        if self._ended is None:
            return
        size = self.size
        try:
            last = _read_batch_ack(data, size)
        except RefusedError as error:
            self.can_batch = error.err_code not in _NO_BATCHES
            self._send_each()
            return
        except BusError as error:
            self._fail(error)
            return
        stream_seq = last.stream_seq - size + 1
        for bundle in self._bundles:
            stream_seq += bundle.claim is not None
            stored = [Stored(stream_seq + n, duplicate=False) for n in range(len(bundle.messages))]
            stream_seq += len(bundle.messages)
            self._settle(bundle, stored)
        self._end()

    def _send_each(self) -> None:
        for bundle in self._bundles:
            self._send(bundle)

    def _send(self, bundle: PendingBundle) -> None:
        def on_result(result: Result) -> None:
            if isinstance(result, ConflictError):
                self._send_carefully(bundle)
            else:
                self._landed(bundle, result)

        if not bundle.messages or (bundle.claim and self._connection.replicated):
            # Replicas decide on a condition before those on their way are stored: two messages
            # with one condition are a conflict there.
            self._send_carefully(bundle)
            return
        try:
            client = self._connection.client
            self._direct.append(DirectPublish(client, bundle.messages, bundle.claim, on_result))
        except (NatsError, OSError) as error:
            self._landed(bundle, _not_acknowledged(error))
        except BusError as error:
            self._landed(bundle, error)

    def _send_carefully(self, bundle: PendingBundle) -> None:
        """First the claim, and the rest once it is known to be ours."""
        task = asyncio.create_task(self._publish(bundle), name="guarded-publish")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, bundle: PendingBundle) -> None:
        try:
            stored = await self._plain.publish(bundle.messages, claim=bundle.claim)
        except BusError as error:
            self._landed(bundle, error)
        else:
            self._landed(bundle, stored)

    def _landed(self, bundle: PendingBundle, result: Result) -> None:
        if isinstance(result, BusError):
            self._error = type(result).__name__
        self._settle(bundle, result)
        self._missing -= 1
        if not self._missing:
            self._end()

    def _fail(self, error: Exception) -> None:
        reason = error if isinstance(error, BusError) else _not_acknowledged(error)
        self._error = type(error).__name__
        for bundle in self._bundles:
            self._settle(bundle, reason)
        self._end()

    def _end(self) -> None:
        ended, self._ended = self._ended, None
        if ended is None:
            return
        if self._span is not None:
            self._span.end(self._error)
        ended(self)


def _read_batch_ack(data: bytes, size: int) -> Stored:
    """Raises `RefusedError` where the server did not take all as one: what it stored of them is a
    duplicate when it is published again.
    """
    stored = read_ack(data)
    if json.loads(data).get("count") != size:
        raise RefusedError("not taken as one batch", _NO_BATCH)
    return stored


def _not_acknowledged(error: Exception) -> BusError:
    return BusError(f"not acknowledged: {type(error).__name__}")
