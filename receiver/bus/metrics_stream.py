"""The stream of what processes counted: the last report of each, and a total of those that ended.

Nothing depends on it but metrics: a fault of it stops neither receivers nor handlers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.durables import count_subjects
from receiver.bus.jetstream_api import call
from receiver.bus.retention import read_time
from receiver.bus.rights import Right
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_NAME_IN_USE: Final = 10058
_NO_STREAM: Final = 10059
_NO_MESSAGE: Final = 10037
_ELSEWHERE: Final = frozenset({10071, 10164})
"""Something else is stored on the subject, or nothing any more."""
_ANSWER_S: Final = 2.0
_MAX_BYTES: Final = 64 * 1024 * 1024
_PROBE: Final = "yizhan-check"


class ReportConflictError(BusError):
    """The message on the subject is not the one that was expected; nothing was stored."""


class Kept(NamedTuple):
    """A message of the stream; `document` is its JSON, empty where it holds none."""

    document: Mapping[str, Any]
    seq: int
    time: datetime


class MetricsStream:
    """Reads and writes it. Everything raises `BusError`, and asks the stream's leader: a replica
    may be behind, and counters would go back.
    """

    def __init__(self, client: Client, subjects: Subjects) -> None:
        self._client = client
        self._subjects = subjects

    async def ensure(self) -> None:
        """Make it where there is none, on as many servers as hold the main one."""
        name = self._subjects.metrics_stream
        info = await call(self._client, f"STREAM.INFO.{name}", {}, timeout_s=_ANSWER_S)
        if "error" not in info:
            return
        main = await call(self._client, f"STREAM.INFO.{self._subjects.stream}", {})
        replicas = main.get("config", {}).get("num_replicas", 1)
        made = await call(self._client, f"STREAM.CREATE.{name}", _config(self._subjects, replicas))
        if made.get("error", {}).get("err_code", _NAME_IN_USE) != _NAME_IN_USE:
            raise BusError(f"NATS refuses the stream {name}: {made['error'].get('description')}")

    async def put(self, subject: str, document: Mapping[str, Any], expected: int) -> int:
        """Store what replaces the message of sequence `expected`, 0 for none; gives the new one.

        Raises `ReportConflictError` where another is there.
        """
        condition = {"Nats-Expected-Last-Subject-Sequence": str(expected)}
        body = json.dumps(document, separators=(",", ":")).encode()
        try:
            answer = await self._client.request(subject, body, _ANSWER_S, headers=condition)
            ack: dict[str, Any] = json.loads(answer.data)
        except (NatsError, OSError, TimeoutError, ValueError) as error:
            raise BusError(f"the report was not stored: {type(error).__name__}") from error
        if refused := ack.get("error"):
            kind = ReportConflictError if refused.get("err_code") in _ELSEWHERE else BusError
            raise kind(f"the report was not stored: {refused.get('description')}")
        return int(ack["seq"])

    async def get(self, subject: str) -> Kept | None:
        """The message on a subject; None where there is none."""
        verb = f"STREAM.MSG.GET.{self._subjects.metrics_stream}"
        answer = await call(self._client, verb, {"last_by_subj": subject}, timeout_s=_ANSWER_S)
        if error := answer.get("error"):
            if error.get("err_code") in {_NO_MESSAGE, _NO_STREAM}:
                return None
            raise BusError(f"a report cannot be read: {error.get('description')}")
        message = answer["message"]
        try:
            document = json.loads(base64.b64decode(message.get("data") or ""))
        except ValueError:
            document = {}
        known = document if isinstance(document, dict) else {}
        return Kept(known, message["seq"], read_time(message["time"]))

    async def lives(self) -> list[str]:
        """The subjects of the reports."""
        every = self._subjects.metrics_of("*")
        return sorted(await count_subjects(self._client, self._subjects.metrics_stream, every))

    async def delete(self, seq: int) -> None:
        """Delete a message, if it is there."""
        verb = f"STREAM.MSG.DELETE.{self._subjects.metrics_stream}"
        await call(self._client, verb, {"seq": seq, "no_erase": True}, timeout_s=_ANSWER_S)


def _config(subjects: Subjects, replicas: int) -> dict[str, Any]:
    return {
        "name": subjects.metrics_stream,
        "subjects": [subjects.all_metrics],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_bytes": _MAX_BYTES,
        "num_replicas": replicas,
        "allow_direct": True,
    }


def metrics_rights(subjects: Subjects) -> Iterator[Right]:
    """What a process needs to report what it counts; without it, it works all the same."""
    purpose = "to report what this process counts, for `yizhan metrics`"
    stream = subjects.metrics_stream
    for verb in ("STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET", "STREAM.MSG.DELETE"):
        subject = f"$JS.API.{verb}.{stream}"
        yield Right(subject, subject, purpose, needed=False)
    yield Right(subjects.metrics_of(_PROBE), subjects.all_metrics, purpose, needed=False)
