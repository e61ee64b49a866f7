"""One call of the JetStream API, in its own JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.errors import BusError


class NoJetStreamError(BusError):
    """Nothing behind the connected server serves the JetStream API."""

    def __init__(self) -> None:
        super().__init__("no JetStream answers on this server")


async def call(
    client: Client, verb: str, body: Mapping[str, Any], *, timeout_s: float = 5.0
) -> dict[str, Any]:
    """The answer to `$JS.API.<verb>`, an `error` in it included; raises `BusError` without one,
    `NoJetStreamError` where nothing could give one.
    """
    try:
        reply = await client.request(f"$JS.API.{verb}", json.dumps(body).encode(), timeout_s)
        answer: dict[str, Any] = json.loads(reply.data)
    except NoRespondersError as error:
        raise NoJetStreamError from error
    except (NatsError, OSError, ValueError) as error:
        raise BusError(f"JetStream does not answer: {type(error).__name__}") from error
    return answer


def nanoseconds(duration: timedelta) -> int:
    """A duration as JetStream's JSON has it."""
    return duration // timedelta(microseconds=1) * 1_000


def nanoseconds_read(value: int) -> timedelta:
    """A duration of JetStream's JSON."""
    return timedelta(microseconds=value // 1_000)
