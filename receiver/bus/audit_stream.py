"""The stream of what operators did. It is made by whoever acts first, and kept without an end.

The server refuses to delete or purge single records: a trail that can be corrected shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.jetstream_api import call
from receiver.bus.publish.contract import read_ack
from receiver.bus.rights import Right
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

_NOT_FOUND: Final = 404
_NAME_IN_USE: Final = 10058
_ANSWER_S: Final = 5.0
_PROBE: Final = "yizhan-check"


async def store_record(client: Client, subjects: Subjects, verb: str, body: bytes) -> int:
    """Store a record of an act and give its sequence; raises `BusError` where that is not certain.

    The stream is made where there is none, on as many servers as the main one; one that exists is
    left as it is.
    """
    await _ensure(client, subjects)
    try:
        headers = {"Nats-Expected-Stream": subjects.audit_stream}
        reply = await client.request(subjects.audit(verb), body, _ANSWER_S, headers=headers)
    except (NatsError, OSError, TimeoutError) as error:
        raise BusError(
            f"nothing takes {subjects.all_audit} ({type(error).__name__}): "
            f"allow our user to publish to it, and have {subjects.audit_stream} take it"
        ) from error
    return read_ack(reply.data).stream_seq


async def _ensure(client: Client, subjects: Subjects) -> None:
    name = subjects.audit_stream
    info = await call(client, f"STREAM.INFO.{name}", {})
    error = info.get("error")
    if error is None:
        return
    if error.get("code") != _NOT_FOUND:
        raise BusError(f"the stream {name}: {error.get('description')}")
    main = await call(client, f"STREAM.INFO.{subjects.stream}", {})
    replicas = main.get("config", {}).get("num_replicas", 1)
    made = await call(client, f"STREAM.CREATE.{name}", _config(subjects, replicas))
    if made.get("error", {}).get("err_code", _NAME_IN_USE) != _NAME_IN_USE:
        raise BusError(f"NATS refuses the stream {name}: {made['error'].get('description')}")


def _config(subjects: Subjects, replicas: int) -> dict[str, Any]:
    return {
        "name": subjects.audit_stream,
        "subjects": [subjects.all_audit],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": True,
    }


def audit_rights(subjects: Subjects) -> Iterator[Right]:
    """What an operator's command needs to record what it does, without which it does nothing."""
    stream, purpose = subjects.audit_stream, "to record what operators do"
    for verb in ("STREAM.INFO", "STREAM.CREATE"):
        subject = f"$JS.API.{verb}.{stream}"
        yield Right(subject, subject, purpose, needed=False)
    yield Right(subjects.audit(_PROBE), subjects.all_audit, purpose, needed=False)
