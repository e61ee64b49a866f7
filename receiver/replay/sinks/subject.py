"""A replay onto a subject."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.message import MSG_ID, StoredMessage
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.event import Event
from schemas.events import EventData

_FLUSH_EVERY: Final = 500
_ANSWER_S: Final = 5.0
_MARKS: Final = MappingProxyType({"ce-origin": "replay"})
_RESERVED: Final = ("$", "_INBOX")


class SubjectSink:
    """Publishes stored messages once more, below another prefix and outside every stream.

    `yizhan.events.1688.order.created.1` becomes `PREFIX.events.1688.order.created.1`, with its
    headers, those of `marks`, and without `Nats-Msg-Id`.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        prefix: str,
        marks: Mapping[str, str] = _MARKS,
    ) -> None:
        self._connection = connection
        self._root = subjects.root
        self._prefix = prefix.removesuffix(".>").removesuffix(".")
        self._marks = marks
        self._count = 0

    @classmethod
    def check_prefix(cls, prefix: str, root: str) -> None:
        """Raise `ConfigurationError` where a prefix is none or is reserved; asks no server."""
        prefix = prefix.removesuffix(".>").removesuffix(".")
        tokens = prefix.split(".")
        odd = any(
            not token or not token.isprintable() or set(token) & set(" *>") for token in tokens
        )
        if odd or prefix.startswith(_RESERVED):
            raise ConfigurationError(
                f"subject:{prefix}: is no prefix of subjects: write one such as try.me"
            )
        if tokens[0] == root and tokens[1:2] != ["replay"]:
            raise ConfigurationError(
                f"subject:{prefix}: subjects below {root} are Yizhan's own: "
                f"write one such as {root}.replay.NAME, or one outside"
            )

    async def check(self) -> None:
        """As `check_prefix`, and raise `ConfigurationError` where a stream would store."""
        self.check_prefix(self._prefix, self._root)
        for stream in await _streams_of(self._connection.client, f"{self._prefix}.>"):
            raise ConfigurationError(
                f"subject:{self._prefix}: the stream {stream} takes such subjects in, "
                "and would store the events a second time: choose a prefix outside every stream"
            )

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        """See `Sink.put`."""
        del event  # what was stored goes out as it was stored
        headers = {name: text for name, text in stored.headers.items() if name != MSG_ID}
        headers |= self._marks
        subject = self._prefix + stored.nats_subject.removeprefix(self._root)
        try:
            client = self._connection.client
            await client.publish(subject, stored.body, headers=headers)
            self._count += 1
        except (NatsError, OSError, TimeoutError) as error:
            raise BusError(f"cannot publish: {type(error).__name__}") from error
        if self._count % _FLUSH_EVERY == 0:
            await self.flush()
        return ""

    async def flush(self) -> None:
        """Make sure that everything has left; raises `BusError`."""
        try:
            await self._connection.client.round_trip(timeout_s=_ANSWER_S)
        except (NatsError, OSError, TimeoutError) as error:
            raise BusError(f"cannot publish: {type(error).__name__}") from error


async def _streams_of(client: Client, nats_subject: str) -> list[str]:
    answer = await call(client, "STREAM.NAMES", {"subject": nats_subject})
    if "error" in answer:  # not knowing is no leave to publish
        raise BusError("JetStream does not list its streams")
    return answer.get("streams") or []
