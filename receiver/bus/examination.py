"""What a start would find of streams and consumers, without making or changing any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from nats.aio.client import Client

from receiver.bus.consumers import (
    ConsumerPlan,
    check_consumer,
    consumer_info,
    outdated,
    paused,
)
from receiver.bus.contradictions import ONE_REPLICA
from receiver.bus.jetstream_api import call
from receiver.bus.retention import warnings
from receiver.bus.stream_plan import StreamPlan
from receiver.bus.streams import check_stream, stream_info, widened
from receiver.errors import ConfigurationError


class Seen(NamedTuple):
    """What is there, in a few words, and what to know of it, a sentence each; `change` is the API's
    word for what a start would do to it (`CREATE`, `UPDATE`), empty where nothing.
    """

    text: str
    warnings: Sequence[str] = ()
    change: str = ""


async def examine_stream(
    client: Client, plan: StreamPlan, *, clustered: bool, alone: bool = False
) -> Seen:
    """One stream; raises `ConfigurationError` where a start would, `BusError` without an answer.

    `alone`: other streams and the account's limits are not looked at, which our user may not see.
    """
    info = await stream_info(client, plan)
    for name in () if alone else await _streams_on(client, plan.subjects[0]):
        if name != plan.name:
            raise ConfigurationError(
                f"the stream {name} already takes subjects of {plan.name}: "
                "set nats.subject_root to another name"
            )
    if info is None:
        account = {} if alone else await call(client, "INFO", {})
        _check_makeable(plan, account, clustered=clustered)
        return Seen(f"stream {plan.name} is not there yet: a start makes it", change="CREATE")
    check_stream(info, plan, clustered=clustered)
    _check_replicas(plan, clustered=clustered)
    state, replicas = info["state"], max(plan.replicas, info["config"]["num_replicas"])
    held = f", {replicas} replicas" if replicas > 1 else ""
    return Seen(
        f"stream {plan.name}, {state['messages']} messages{held}",
        tuple(warnings(info, plan, now=datetime.now(UTC))),
        "UPDATE" if widened(info["config"], plan) != info["config"] else "",
    )


async def copies_of(client: Client, plan: StreamPlan) -> list[str]:
    """Other streams that store once more what this one republishes."""
    if plan.republished is None:
        return []
    return [name for name in await _streams_on(client, plan.republished) if name != plan.name]


async def examine_consumer(client: Client, plan: ConsumerPlan) -> str:
    """What to know of one consumer, or empty; raises as `examine_stream` does."""
    info = await consumer_info(client, plan.stream, plan.durable)
    if info is None:
        return ""
    check_consumer(info, plan)
    return paused(info, plan) or outdated(info, plan)


async def _streams_on(client: Client, subject: str) -> list[str]:
    reply = await call(client, "STREAM.NAMES", {"subject": subject})
    return list(reply.get("streams") or ())


def _check_makeable(plan: StreamPlan, account: Mapping[str, Any], *, clustered: bool) -> None:
    if clustered and plan.replicas < 2:
        raise ConfigurationError(f"the stream {plan.name}: {': '.join(ONE_REPLICA)}")
    _check_replicas(plan, clustered=clustered)
    for reason in _lacking(plan, account):
        raise ConfigurationError(f"NATS would refuse the stream {plan.name}: {reason}")


def _check_replicas(plan: StreamPlan, *, clustered: bool) -> None:
    if plan.replicas > 1 and not clustered:
        raise ConfigurationError(
            f"nats.replicas: {plan.replicas} need a cluster, and this server is "
            "alone: set nats.replicas to 1, or nats.url to the servers of a cluster"
        )


def _lacking(plan: StreamPlan, account: Mapping[str, Any]) -> Iterator[str]:
    """What the limits of the account leave no room for."""
    limits = account.get("limits") or {}
    if 0 < limits.get("max_streams", -1) <= account.get("streams", 0):
        yield f"the account may have {limits['max_streams']} streams: allow it more"
    room = limits.get("max_storage", -1)
    if 0 < room < account.get("storage", 0) + max(plan.max_bytes, 0):
        yield f"the account may store {room} bytes: allow it more, or set nats.max_bytes to less"
    if limits.get("max_bytes_required") and plan.max_bytes < 0:
        yield "the account wants a bound for each stream: set nats.max_bytes"
