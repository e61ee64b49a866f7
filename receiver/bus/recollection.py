"""After a restart: what the stream's own headers tell of the last hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from receiver.bus.codec import CONTENT
from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

Remember = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and the time of arrival."""

_BATCH: Final = 500
_INACTIVE_S: Final = 30.0


async def recollect(
    connection: Connection, subjects: Subjects, *, since: datetime, remember: Remember
) -> int:
    """Tell `remember` of each raw callback stored since then, oldest first; gives their number.

    Reads headers only. Raises `BusError` where the stream does not answer.
    """
    config = ConsumerConfig(
        filter_subject=subjects.raw(">"),
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=since,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        mem_storage=True,
        inactive_threshold=_INACTIVE_S,
    )
    told = 0
    try:
        jetstream = connection.jetstream
        info = await jetstream.add_consumer(subjects.stream, config)
        consumer = await jetstream.pull_subscribe_bind(info.name, stream=subjects.stream)
        left = info.num_pending or 0
        while left > 0:
            for message in await consumer.fetch(min(left, _BATCH), timeout=5):
                left -= 1
                told += _tell(message.headers or {}, message.subject, subjects, remember)
        await consumer.unsubscribe()
        await jetstream.delete_consumer(subjects.stream, info.name)
    except NatsTimeoutError:
        return told  # what was left has expired meanwhile
    except (NatsError, OSError) as error:
        raise BusError(f"the stream cannot be read: {type(error).__name__}") from error
    return told


def _tell(headers: dict[str, str], subject: str, subjects: Subjects, remember: Remember) -> int:
    content, identity = headers.get(CONTENT), headers.get("yizhan-callbackid")
    received = headers.get("yizhan-receivedtime")
    if not (content and identity and received):
        return 0
    try:
        when = datetime.fromisoformat(received)
    except ValueError:
        return 0
    if when.tzinfo is None:
        return 0
    remember(subject.removeprefix(subjects.raw("")), content, identity, when)
    return 1
