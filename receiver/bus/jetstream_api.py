"""One call of the JetStream API, in its own JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.client import PipeliningClient
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
    return read_answer(await raw_call(client, verb, body, timeout_s=timeout_s))


async def raw_call(
    client: Client, verb: str, body: Mapping[str, Any], *, timeout_s: float = 5.0
) -> bytes:
    """As `call`; the answer as it came, for `read_answer`."""
    subject, asked = f"$JS.API.{verb}", json.dumps(body).encode()
    try:
        if isinstance(client, PipeliningClient):
            return await _answer(client, subject, asked, timeout_s)
        return (await client.request(subject, asked, timeout_s)).data
    except NoRespondersError as error:
        raise NoJetStreamError from error
    except (NatsError, OSError, TimeoutError) as error:
        raise BusError(f"JetStream does not answer: {type(error).__name__}") from error


def read_answer(data: bytes) -> dict[str, Any]:
    """An answer of the API; raises `BusError` where it is none."""
    try:
        answer: dict[str, Any] = json.loads(data)
    except ValueError as error:
        raise BusError("JetStream does not answer: no JSON") from error
    return answer


async def _answer(client: PipeliningClient, subject: str, body: bytes, timeout_s: float) -> bytes:
    """As `Client.request`, in a fifth of its time."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes] = loop.create_future()

    def came(data: bytes) -> None:
        if not future.done():
            future.set_result(data)

    def failed(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    reply = client.expect(came, on_no_responders=lambda: failed(NoRespondersError()))
    end = loop.call_later(timeout_s, failed, TimeoutError())
    try:
        client.write_soon(b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply, len(body), body))
        return await future
    finally:
        end.cancel()
        client.forget(reply)


def nanoseconds(duration: timedelta) -> int:
    """A duration as JetStream's JSON has it."""
    return duration // timedelta(microseconds=1) * 1_000


def nanoseconds_read(value: int) -> timedelta:
    """A duration of JetStream's JSON."""
    return timedelta(microseconds=value // 1_000)
