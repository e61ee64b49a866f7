"""The consumer of a replay: a durable whose position is how far the replay has come.

It begins at the first event selected and has no end of its own: who takes from it stops at the last
one. The server forgets it where it is not used for as long as a replay is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from nats.aio.client import Client

from receiver.bus.consumers import consumer_info
from receiver.bus.durables import count_from
from receiver.bus.jetstream_api import call, nanoseconds
from receiver.errors import BusError

ACK_WAIT_S: Final = 30.0
MAX_PENDING: Final = 1_000
_GONE: Final = 10014
_PLAN: Final = "yizhan-plan"


@dataclass(frozen=True, slots=True)
class ReplayConsumer:
    """The consumer of one target. With `ack` of `all` the acknowledgement of an event is that of
    all before it, for who gives them on in order. `plan` is the id of what it is for.
    """

    stream: str
    durable: str
    nats_subjects: Sequence[str]
    first_seq: int
    last_seq: int
    kept: timedelta
    ack: Literal["explicit", "all"]
    plan: str

    def config(self) -> dict[str, Any]:
        """Its configuration."""
        return {
            "durable_name": self.durable,
            "name": self.durable,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": max(1, self.first_seq),
            "ack_policy": self.ack,
            "ack_wait": int(ACK_WAIT_S * 1_000_000_000),
            "max_deliver": -1,
            "max_ack_pending": MAX_PENDING,
            "filter_subjects": list(self.nats_subjects),
            "inactive_threshold": nanoseconds(self.kept),
            "metadata": {_PLAN: self.plan},
        }


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has come: up to `delivered` all was handed out, `unfinished` of that are
    not done; `left` are not handed out yet."""

    delivered: int
    unfinished: int
    left: int


async def make(client: Client, consumer: ReplayConsumer) -> None:
    """Make it where it is not there, or is left of an earlier plan of the name; raises
    `BusError`."""
    info = await consumer_info(client, consumer.stream, consumer.durable)
    if info is not None:
        if (info["config"].get("metadata") or {}).get(_PLAN) == consumer.plan:
            return
        await remove(client, consumer.stream, consumer.durable)
    verb = f"CONSUMER.CREATE.{consumer.stream}.{consumer.durable}"
    body = {"stream_name": consumer.stream, "config": consumer.config(), "action": "create"}
    reply = await call(client, verb, body)
    if error := reply.get("error"):
        raise BusError(f"NATS refuses the consumer {consumer.durable}: {error.get('description')}")


async def position(client: Client, consumer: ReplayConsumer) -> Position | None:
    """How far it has come; None where it is not there. Raises `BusError`."""
    info = await consumer_info(client, consumer.stream, consumer.durable)
    if info is None:
        return None
    pending = int(info["num_pending"])
    if pending:
        subjects = consumer.nats_subjects
        _, beyond = await count_from(client, consumer.stream, subjects, consumer.last_seq + 1)
        pending -= beyond
    return Position(info["delivered"]["stream_seq"], info["num_ack_pending"], max(0, pending))


async def remove(client: Client, stream: str, durable: str) -> None:
    """Delete it, where it is there; raises `BusError`."""
    reply = await call(client, f"CONSUMER.DELETE.{stream}.{durable}", {})
    error = reply.get("error")
    if error and error.get("err_code") != _GONE:
        raise BusError(f"NATS does not delete {durable}: {error.get('description')}")
