"""Reading what the stream holds, in bulk and in order, without leaving a trace in it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from receiver.bus.connection import Connection
from receiver.errors import BusError

_BATCH: Final = 200
_FETCH_S: Final = 5.0
_INACTIVE_S: Final = 600.0
"""How long a slow reader may take over one batch before the server forgets it."""


@dataclass(frozen=True, slots=True)
class HistoricMessage:
    """A message as the stream holds it; `body` is empty where only headers were asked for."""

    nats_subject: str
    headers: Mapping[str, str]
    body: bytes
    stream_seq: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Which messages: below any of `nats_subjects` (none: all), stored within the times."""

    nats_subjects: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def consumer(self, since: datetime | None, *, headers_only: bool) -> ConsumerConfig:
        """An ephemeral consumer of the span, beginning at `since`."""
        return ConsumerConfig(
            filter_subjects=list(self.nats_subjects),
            deliver_policy=DeliverPolicy.BY_START_TIME if since else DeliverPolicy.ALL,
            opt_start_time=since,
            ack_policy=AckPolicy.NONE,
            headers_only=headers_only,
            mem_storage=True,
            inactive_threshold=_INACTIVE_S,
        )


class History:
    """The messages of a span as they were when it was opened; `count` is how many."""

    def __init__(self, jetstream: JetStreamContext, stream: str, consumer: str, count: int) -> None:
        self.count = count
        self._jetstream = jetstream
        self._stream = stream
        self._consumer = consumer

    async def read(self) -> AsyncIterator[HistoricMessage]:
        """Each message, oldest first; raises `BusError` where the stream does not answer.

        What is stored meanwhile is not read. What expires meanwhile is missing.
        """
        left = self.count
        try:
            source = await self._jetstream.pull_subscribe_bind(self._consumer, stream=self._stream)
            try:
                while left > 0:
                    for message in await source.fetch(min(left, _BATCH), timeout=_FETCH_S):
                        left -= 1
                        yield HistoricMessage(
                            message.subject,
                            message.headers or {},
                            message.data,
                            message.metadata.sequence.stream,
                            message.metadata.timestamp,
                        )
            except NatsTimeoutError:
                return
            finally:
                await source.unsubscribe()
        except (NatsError, OSError) as error:
            raise BusError(f"the stream cannot be read: {type(error).__name__}") from error


@contextlib.asynccontextmanager
async def opened_history(
    connection: Connection, stream: str, span: Span, *, headers_only: bool = False
) -> AsyncIterator[History]:
    """The history of a span; its consumer is removed again, by the server where we are cut off.

    Raises `BusError` where the stream does not answer.
    """
    jetstream = connection.jetstream
    try:
        config = span.consumer(span.since, headers_only=headers_only)
        info = await jetstream.add_consumer(stream, config)
        count = info.num_pending or 0
        if span.until is not None and count:
            count -= await _count_from(jetstream, stream, span, span.until)
    except (NatsError, OSError) as error:
        raise BusError(f"the stream cannot be read: {type(error).__name__}") from error
    try:
        yield History(jetstream, stream, info.name, max(count, 0))
    finally:
        with contextlib.suppress(NatsError, OSError):
            await jetstream.delete_consumer(stream, info.name)


async def _count_from(jetstream: JetStreamContext, stream: str, span: Span, start: datetime) -> int:
    info = await jetstream.add_consumer(stream, span.consumer(start, headers_only=True))
    await jetstream.delete_consumer(stream, info.name)
    return info.num_pending or 0
