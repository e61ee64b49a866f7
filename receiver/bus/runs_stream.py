"""The stream of run records: what handlers did, for people and tools to look at.

Nothing depends on it. It acknowledges before it writes, so that a record costs no sync; so it is
not made like the other streams, and a fault of it stops neither receivers nor handlers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error as NatsError

from receiver.bus.jetstream_api import call, nanoseconds
from receiver.bus.rights import Right
from receiver.bus.subjects import Subjects
from receiver.errors import BusError

MAX_AGE: Final = timedelta(days=14)
_NOT_FOUND: Final = 404
_NAME_IN_USE: Final = 10058
_ANSWER_S: Final = 5.0
_PROBE: Final = "yizhan-check"
"""The server refuses a message for a stream of that name, once it has let it pass."""


async def ensure_runs_stream(client: Client, subjects: Subjects) -> None:
    """Make the stream where there is none, on as many servers as the main one; one that exists is
    left as it is. Raises `BusError` where it takes no record from us.
    """
    if await runs_info(client, subjects) is None:
        main = await call(client, f"STREAM.INFO.{subjects.stream}", {})
        replicas = main.get("config", {}).get("num_replicas", 1)
        name = subjects.runs_stream
        made = await call(client, f"STREAM.CREATE.{name}", _config(subjects, replicas))
        if made.get("error", {}).get("err_code", _NAME_IN_USE) != _NAME_IN_USE:
            raise BusError(f"NATS refuses the stream {name}: {made['error'].get('description')}")
    await _try(client, subjects)


async def _try(client: Client, subjects: Subjects) -> None:
    """To what we may not publish nothing answers, and each try would be an error in the log."""
    probe = subjects.run(_PROBE, "")
    try:
        await client.request(probe, b"", _ANSWER_S, headers={"Nats-Expected-Stream": _PROBE})
    except (NatsError, OSError, TimeoutError) as error:
        raise BusError(
            f"nothing takes {subjects.all_runs} ({type(error).__name__}): "
            f"allow our user to publish to it, and have {subjects.runs_stream} take it"
        ) from error


async def runs_info(client: Client, subjects: Subjects) -> dict[str, Any] | None:
    """The server's answer to `STREAM.INFO`; None without such a stream. Raises `BusError`."""
    info = await call(client, f"STREAM.INFO.{subjects.runs_stream}", {})
    error = info.get("error")
    if error and error.get("code") != _NOT_FOUND:
        raise BusError(f"the stream {subjects.runs_stream}: {error.get('description')}")
    return None if error else info


def _config(subjects: Subjects, replicas: int) -> dict[str, Any]:
    config: dict[str, Any] = {
        "name": subjects.runs_stream,
        "subjects": [subjects.all_runs],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_age": nanoseconds(MAX_AGE),
        "num_replicas": replicas,
        "allow_direct": True,
    }
    if replicas == 1:  # several servers acknowledge before they write by themselves
        config["persist_mode"] = "async"
    return config


def runs_rights(subjects: Subjects) -> Iterator[Right]:
    """What a worker needs to record runs, and to read those of an event that it gives up on; where
    it is missing, handlers run all the same.
    """
    api, stream, purpose = "$JS.API", subjects.runs_stream, "to record what handlers did"
    for verb in ("STREAM.INFO", "STREAM.CREATE"):
        yield Right(f"{api}.{verb}.{stream}", f"{api}.{verb}.{stream}", purpose, needed=False)
    yield Right(subjects.run(_PROBE, ""), subjects.all_runs, purpose, needed=False)
    reading = "to read the earlier runs of an event that becomes a dead letter"
    created = f"{api}.CONSUMER.CREATE.{stream}"
    yield Right(created, created, reading, needed=False)
    for verb in ("INFO", "MSG.NEXT", "DELETE"):
        one = f"{api}.CONSUMER.{verb}.{stream}"
        yield Right(f"{one}.{_PROBE}", f"{one}.>", reading, needed=False)
