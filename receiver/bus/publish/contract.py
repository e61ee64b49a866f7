"""Storing messages: what a publish promises, and the plain way to keep it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from receiver.bus.message import OutgoingMessage
from receiver.errors import BusError

TOO_LARGE: Final = "an event is larger than the server's max_payload"
"""Why a callback is in quarantine that could be read."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The messages of one publish, the raw one first, and its claim."""

    messages: Sequence[OutgoingMessage]
    claim: OutgoingMessage | None = None

    @property
    def id(self) -> str:
        """The id of the callback."""
        return self.messages[0].msg_id

    @property
    def source(self) -> str:
        """The source that the callback came from: the token behind the kind of the subject."""
        return self.messages[0].subject.split(".")[2]


class Stored(NamedTuple):
    """Where a message is in the stream; `duplicate` if it was there already.

    What is `spooled` is on our own disk and on its way into the stream: its `stream_seq` is 0.
    """

    stream_seq: int
    duplicate: bool
    spooled: bool = False


Result = Sequence[Stored] | BusError
"""Where each message of a publish is, in order, or why they are not all stored."""
OnResult = Callable[[Result], None]
"""Called with the result, once."""


class RefusedError(BusError):
    """The server understood and refused; `err_code` is JetStream's."""

    def __init__(self, description: str, err_code: int) -> None:
        super().__init__(f"refused: {description}")
        self.err_code = err_code


class UnsendableError(RefusedError):
    """No server of these settings will ever take it: it is too large."""

    def __init__(self) -> None:
        super().__init__("larger than the server's max_payload", 0)


class TooSlowError(BusError):
    """The time is up; the messages may be stored all the same."""


class NonceClaimedError(BusError):
    """The nonce is claimed already, by the callback `claimed_by`; nothing else was stored."""

    def __init__(self, claimed_by: str) -> None:
        super().__init__("the nonce is claimed")
        self.claimed_by = claimed_by


class Publisher(Protocol):
    """Stores messages."""

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """Store all of `messages`, in order; raises `BusError` where one is not acknowledged.

        Idempotent: a message whose id is in the duplicate window is acknowledged, not stored
        again. After a `BusError` some may be stored all the same.

        A `claim` is one more message, stored with the others. Where its id is stored already with
        another body, `NonceClaimedError` is raised and nothing is stored. (Where two use one claim
        within the same instant, what the later one had under way may be stored.)
        """


class Submitter(Protocol):
    """Stores messages for callers that do not wait: the hot path."""

    def submit(
        self,
        messages: Sequence[OutgoingMessage],
        claim: OutgoingMessage | None,
        on_result: OnResult,
    ) -> None:
        """As `Publisher.publish`; `on_result` gets the result, perhaps before this returns."""

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        """The body under which this process knows the claim to be stored; None where it does not
        know, or it is not claimed.
        """


async def awaited(
    submitter: Submitter,
    messages: Sequence[OutgoingMessage],
    claim: OutgoingMessage | None = None,
) -> Sequence[Stored]:
    """The result of a `Submitter`, for a caller that waits; raises `BusError`.

    A caller that is cancelled does not cancel the write.
    """
    answer: asyncio.Future[Sequence[Stored]] = asyncio.get_running_loop().create_future()
    submitter.submit(messages, claim, resolver(answer))
    return await answer


def resolver(future: asyncio.Future[Sequence[Stored]]) -> OnResult:
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
