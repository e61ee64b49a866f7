"""What a durable that serves one pinned client counts as delivered: to see it, to give it back.

The server gives what is pending to the next client only when the time to acknowledge is over. Who
knows that the last client is gone gives it back on its behalf: a negative acknowledgement is taken
from anyone, for any pending message (nats-server 2.15, server/consumer.go `processNak`). That is
the server's leniency, not its contract: without it the time to acknowledge decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nats.errors import Error as NatsError

from receiver.bus.client import PipeliningClient
from receiver.bus.consumers import GROUP, ConsumerPlan, consumer_info
from receiver.bus.jetstream_api import call
from receiver.errors import BusError

_NAK: Final = b"-NAK"
_REPLICATED_NAK: Final = b'-NAK {"delay":1}'
_CHUNK: Final = 5_000
_ANSWER_S: Final = 2.0
"""While another server becomes the leader, requests are lost: better asked again soon."""
_TRIES: Final = 5
_AGAIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far a durable has come: all that is not acknowledged lies from `first` to `last`.

    `pending` is how much of that there is; `pin` the client that is served, empty where none is;
    `leader` the server that decides, empty where there is one server.
    """

    first: int
    last: int
    consumer_seq: int
    pending: int
    pin: str
    leader: str

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Delivered:
        """What `CONSUMER.INFO` says."""
        groups: Sequence[Mapping[str, Any]] = info.get("priority_groups") or ({},)
        return cls(
            first=info["ack_floor"]["stream_seq"] + 1,
            last=info["delivered"]["stream_seq"],
            consumer_seq=info["delivered"]["consumer_seq"],
            pending=info["num_ack_pending"],
            pin=groups[0].get("pinned_client_id", ""),
            leader=(info.get("cluster") or {}).get("leader", ""),
        )


async def look(client: PipeliningClient, plan: ConsumerPlan) -> Delivered:
    """How far the durable has come; raises `BusError` where NATS does not say, or it is gone."""
    info = await consumer_info(client, plan.stream, plan.durable, timeout_s=_ANSWER_S)
    if info is None:
        raise BusError(f"the consumer {plan.durable} is gone")
    return Delivered.of(info)


async def give_back(
    client: PipeliningClient, plan: ConsumerPlan, *, keep: Callable[[int], bool]
) -> int:
    """Have the server deliver again, at once, whatever is pending and is not to `keep`.

    Gives how much was pending, 0 where nothing was given back; raises `BusError`. None may pull
    meanwhile. On a cluster a plain negative acknowledgement is known to the leader alone, one with
    a delay to all its replicas, but it takes effect behind newer messages: both are sent, and sent
    again where another server leads afterwards.
    """
    for _ in range(_TRIES):
        seen = await look(client, plan)
        if not seen.pending:
            return 0
        given = [seq for seq in range(seen.first, seen.last + 1) if not keep(seq)]
        if not given:
            return 0
        try:
            if seen.leader:
                await _write(client, plan, seen, given, _REPLICATED_NAK)
            await _write(client, plan, seen, given[:-1], _NAK)
            # Its answer says that all before it were dealt with.
            await client.request(_ack_subject(plan, seen, given[-1]), _NAK, _ANSWER_S)
        except (NatsError, OSError) as error:
            raise BusError(f"nothing was given back: {type(error).__name__}") from error
        if not seen.leader or (await look(client, plan)).leader == seen.leader:
            return seen.pending
        await asyncio.sleep(_AGAIN_S)
    raise BusError("the consumer's leader changes all the time")


async def unpin(client: PipeliningClient, plan: ConsumerPlan) -> None:
    """Have the durable serve whoever pulls next; raises `BusError`."""
    verb = f"CONSUMER.UNPIN.{plan.stream}.{plan.durable}"
    await call(client, verb, {"group": GROUP}, timeout_s=_ANSWER_S)


async def _write(
    client: PipeliningClient, plan: ConsumerPlan, seen: Delivered, given: Sequence[int], word: bytes
) -> None:
    for start in range(0, len(given), _CHUNK):
        client.write(b"".join(_commands(plan, seen, given[start : start + _CHUNK], word)))
        await client.round_trip(timeout_s=_ANSWER_S)


def _commands(
    plan: ConsumerPlan, seen: Delivered, given: Sequence[int], word: bytes
) -> Iterator[bytes]:
    for seq in given:
        subject = _ack_subject(plan, seen, seq).encode()
        yield b"PUB %b %d\r\n%b\r\n" % (subject, len(word), word)


def _ack_subject(plan: ConsumerPlan, seen: Delivered, seq: int) -> str:
    """Of any delivery: the server looks whether the sequence in the stream is pending."""
    return f"$JS.ACK.{plan.stream}.{plan.durable}.1.{seq}.{seen.consumer_seq}.0.0"
