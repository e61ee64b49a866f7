"""What worker processes leave for one another, in a stream in memory: one record a subject.

    <root>.workers.starts.<handler>.<worker>.<slot>    the sequence that a worker runs there
    <root>.workers.attempts.<handler>.<sequence>       how often an event was run, and how it ended
    <root>.workers.claims.<pin>                        who takes over from a client that is gone

Memory, since a record is written at every start. A lone server that ends forgets them: attempts
that were to come within seconds begin anew, and nothing else depends on them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from receiver.bus.client import PipeliningClient
from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_MAX_AGE_NS: Final = 86_400 * 1_000_000_000
_MAX_BYTES: Final = 64 * 1024 * 1024
_ANSWER_S: Final = 2.0
_NAME_IN_USE: Final = 10058
_NO_MESSAGE: Final = 10037
_NO_STREAM: Final = 10059
_KEPT: Final = ("starts", "attempts", "claims")


class WorkerRecord(NamedTuple):
    """One record: the tokens of its subject behind its kind, what it says, its sequence."""

    tokens: tuple[str, ...]
    body: bytes
    seq: int


class WorkerRecords:
    """Reads and writes the records below one root."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    def config(self, replicas: int) -> dict[str, Any]:
        """The stream's configuration."""
        return {
            "name": self._subjects.workers_stream,
            "subjects": [self._subjects.workers(kind, ">") for kind in _KEPT],
            "storage": "memory",
            "retention": "limits",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "max_age": _MAX_AGE_NS,
            "max_bytes": _MAX_BYTES,
            "num_replicas": replicas,
            "allow_direct": True,
            "allow_msg_ttl": True,
        }

    async def ensure(self) -> None:
        """Make the stream where it is missing, on as many servers as the events; raises
        `BusError`."""
        client, name = self._connection.client, self._subjects.workers_stream
        info = await call(client, f"STREAM.INFO.{name}", {}, timeout_s=_ANSWER_S)
        if "error" not in info:
            return
        events = await call(client, f"STREAM.INFO.{self._subjects.stream}", {})
        replicas = events.get("config", {}).get("num_replicas", 1)
        made = await call(client, f"STREAM.CREATE.{name}", self.config(replicas))
        if "error" in made and made["error"].get("err_code") != _NAME_IN_USE:
            raise BusError(f"NATS refuses the stream {name}: {made['error'].get('description')}")

    def note(self, body: bytes, *tokens: str) -> None:
        """Write a record without waiting for it to be stored; it is lost while NATS is away."""
        self._write(f"PUB {self._subjects.workers(*tokens)} {len(body)}\r\n".encode(), body)

    def flush(self) -> None:
        """Hand to the system what was noted in this turn of the event loop."""
        try:
            self._connection.client.write(b"")
        except NatsError as error:
            raise BusError("NATS is away") from error

    def forget(self, *tokens: str) -> None:
        """Take a record away, without waiting."""
        head = b"NATS/1.0\r\nNats-TTL: 1s\r\n\r\n"
        subject = self._subjects.workers(*tokens)
        self._write(f"HPUB {subject} {len(head)} {len(head)}\r\n".encode(), head)

    async def store(self, body: bytes, *tokens: str) -> None:
        """Write a record; raises `BusError` where it is not stored."""
        await self._published(body, tokens)

    async def claim(self, body: bytes, *tokens: str, over: int = 0) -> bool:
        """Write a record where there is none, or where the last one has the sequence `over`;
        whether that held. Raises `BusError`."""
        expected = {"Nats-Expected-Last-Subject-Sequence": str(over)}
        return "error" not in await self._published(body, tokens, expected)

    async def last(self, *tokens: str) -> WorkerRecord | None:
        """The record of a subject, by the word of the stream's leader; raises `BusError`."""
        return await self._next({"last_by_subj": self._subjects.workers(*tokens)})

    async def all(self, *tokens: str) -> list[WorkerRecord]:
        """Every record below these tokens; raises `BusError`."""
        found: list[WorkerRecord] = []
        wanted, seq = self._subjects.workers(*tokens, ">"), 1
        while record := await self._next({"seq": seq, "next_by_subj": wanted}):
            found.append(record)
            seq = record.seq + 1
        return [record for record in found if record.body]

    async def _next(self, asked: Mapping[str, Any]) -> WorkerRecord | None:
        verb = f"STREAM.MSG.GET.{self._subjects.workers_stream}"
        reply = await call(self._connection.client, verb, asked, timeout_s=_ANSWER_S)
        if error := reply.get("error"):
            if error.get("err_code") in {_NO_MESSAGE, _NO_STREAM}:
                return None
            raise BusError(f"the records of workers cannot be read: {error.get('description')}")
        message = reply["message"]
        prefix = self._subjects.workers("")
        kind_and_tokens = message["subject"].removeprefix(prefix).split(".")
        body = base64.b64decode(message.get("data") or "")
        return WorkerRecord(tuple(kind_and_tokens[1:]), body, message["seq"])

    async def _published(
        self, body: bytes, tokens: tuple[str, ...], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        client, subject = self._connection.client, self._subjects.workers(*tokens)
        try:
            reply = await client.request(subject, body, _ANSWER_S, headers=headers)
            answer: dict[str, Any] = json.loads(reply.data)
        except NoRespondersError as error:  # the server started anew, without it
            await self.ensure()
            raise BusError("the records of workers were lost") from error
        except (NatsError, OSError, ValueError) as error:
            raise BusError(f"no record was stored: {type(error).__name__}") from error
        return answer

    def _write(self, head: bytes, body: bytes) -> None:
        client: PipeliningClient = self._connection.client
        try:
            client.write_soon(head + body + b"\r\n")
        except NatsError as error:
            raise BusError("NATS is away") from error
