"""Reading a stream's headers in bulk: what reports and recollections are made from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from receiver.bus.connection import Connection
from receiver.errors import BusError

_BATCH: Final = 500
_INACTIVE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class StoredHeaders:
    """One stored message without its body."""

    nats_subject: str
    headers: Mapping[str, str]


async def read_headers(
    connection: Connection, stream: str, nats_subject: str, *, since: datetime | None = None
) -> AsyncIterator[StoredHeaders]:
    """Every message below a subject as of now, oldest first, without bodies.

    The consumer it reads by is removed afterwards, or by the server where we are cut off. Raises
    `BusError` where the stream does not answer.
    """
    config = ConsumerConfig(
        filter_subject=nats_subject,
        deliver_policy=DeliverPolicy.BY_START_TIME if since else DeliverPolicy.ALL,
        opt_start_time=since,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        mem_storage=True,
        inactive_threshold=_INACTIVE_S,
    )
    try:
        jetstream = connection.jetstream
        info = await jetstream.add_consumer(stream, config)
        consumer = await jetstream.pull_subscribe_bind(info.name, stream=stream)
        left = info.num_pending or 0
        try:
            while left > 0:
                for message in await consumer.fetch(min(left, _BATCH), timeout=5):
                    left -= 1
                    yield StoredHeaders(message.subject, message.headers or {})
        except NatsTimeoutError:
            return  # what was left has expired meanwhile
        finally:
            await consumer.unsubscribe()
            await jetstream.delete_consumer(stream, info.name)
    except (NatsError, OSError) as error:
        raise BusError(f"the stream cannot be read: {type(error).__name__}") from error
