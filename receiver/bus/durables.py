"""Handlers' durables as an operator sees and moves them: list, pause, rewind, delete.

Why a durable is paused stands in its own metadata: it goes where the durable goes, needs no further
stream or right, and every NATS tool shows it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from nats.aio.client import Client

from receiver.bus.beginning import is_unfinished
from receiver.bus.consumers import PAUSE_REASON, consumer_info
from receiver.bus.jetstream_api import call
from receiver.bus.retention import read_time
from receiver.errors import BusError

PREFIX: Final = "handler-"
"""What the name of every handler's durable begins with."""
_BY, _SINCE = "yizhan-pause-by", "yizhan-pause-since"
_NOTES: Final = frozenset({PAUSE_REASON, _BY, _SINCE})
FOR_GOOD: Final = timedelta(days=3652)
"""A pause needs an end."""
_NO_MESSAGE: Final = 10037
_NO_STREAM: Final = 10059
_TEMPORARY_NS: Final = 60 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when nothing is delivered; why, by whom and since when, where that was said."""

    until: datetime
    reason: str = ""
    by: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Durable:
    """How far a handler has come: all up to `floor` is done, `delivered` is the last handed out.

    `pending` messages were never delivered, `unfinished` ones were and are not acknowledged.
    `requests` is how many clients' pulls wait. One that is `half_made` waits for a worker to put it
    where it begins.
    """

    name: str
    filters: tuple[str, ...]
    floor: int
    delivered: int
    pending: int
    unfinished: int
    requests: int
    pause: Pause | None
    half_made: bool = False

    @property
    def handler(self) -> str:
        """The handler's name."""
        return self.name.removeprefix(PREFIX)

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Durable:
        """What `CONSUMER.INFO` says."""
        config = info["config"]
        single = config.get("filter_subject")
        return cls(
            name=info["name"],
            filters=tuple(config.get("filter_subjects") or ([single] if single else [])),
            floor=info["ack_floor"]["stream_seq"],
            delivered=info["delivered"]["stream_seq"],
            pending=info["num_pending"],
            unfinished=info["num_ack_pending"],
            requests=info.get("num_waiting", 0),
            pause=None if is_unfinished(config) else _pause(info),
            half_made=is_unfinished(config),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A message's place in the stream, and when it was stored."""

    seq: int
    time: datetime


async def durables(client: Client, stream: str) -> list[Durable]:
    """Those of handlers, by name; none where there is no stream. Raises `BusError`."""
    found: list[Durable] = []
    offset = 0
    while True:
        reply = await call(client, f"CONSUMER.LIST.{stream}", {"offset": offset})
        if reply.get("error", {}).get("err_code") == _NO_STREAM:
            return []
        _check(reply, "does not list the consumers")
        if reply.get("missing"):  # of a cluster that elects their leaders anew
            raise BusError("some consumers have no leader now: try again")
        page = reply.get("consumers") or []
        found += [Durable.of(info) for info in page if info["name"].startswith(PREFIX)]
        offset += len(page)
        if not page or offset >= reply["total"]:
            return sorted(found, key=lambda durable: durable.name)


async def pause(
    client: Client, stream: str, name: str, *, reason: str, by: str, now: datetime
) -> None:
    """Deliver nothing more to a handler, until `resume`; raises `BusError`.

    What is said of it is stored first: a pause without a reason would be a riddle, a reason without
    a pause is not shown.
    """
    said = {PAUSE_REASON: reason, _BY: by, _SINCE: now.isoformat(timespec="seconds")}
    await _note(client, stream, name, said)
    until = (now + FOR_GOOD).isoformat()
    reply = await call(client, f"CONSUMER.PAUSE.{stream}.{name}", {"pause_until": until})
    _check(reply, f"does not pause {name}")


async def resume(client: Client, stream: str, name: str) -> None:
    """Deliver again; raises `BusError`."""
    reply = await call(client, f"CONSUMER.PAUSE.{stream}.{name}", {})
    _check(reply, f"does not resume {name}")
    await _note(client, stream, name, {})


async def reset(client: Client, stream: str, name: str, seq: int) -> None:
    """Have a durable deliver everything from `seq` on, finished or not; raises `BusError`.

    The server refuses it below the start of a durable that was not made at the first message.
    """
    reply = await call(client, f"CONSUMER.RESET.{stream}.{name}", {"seq": seq})
    _check(reply, f"does not rewind {name}")


async def delete(client: Client, stream: str, name: str) -> None:
    """Forget how far a handler has come; raises `BusError`."""
    _check(await call(client, f"CONSUMER.DELETE.{stream}.{name}", {}), f"does not delete {name}")


async def count_from(
    client: Client, stream: str, filters: Sequence[str], start: int | datetime
) -> tuple[int, int]:
    """The sequence of the first message from `start` on, and how many there are; raises `BusError`.

    Of sequences or times that no message has, the next one counts; one past the last is the end.
    """
    name = f"yizhan-count-{secrets.token_hex(6)}"
    begin = (
        {"deliver_policy": "by_start_sequence", "opt_start_seq": max(start, 1)}
        if isinstance(start, int)
        else {"deliver_policy": "by_start_time", "opt_start_time": start.isoformat()}
    )
    config = begin | {
        "name": name,
        "ack_policy": "none",
        "filter_subjects": list(filters),
        "inactive_threshold": _TEMPORARY_NS,
        "mem_storage": True,
    }
    body = {"stream_name": stream, "config": config, "action": "create"}
    reply = await call(client, f"CONSUMER.CREATE.{stream}.{name}", body)
    _check(reply, "does not count the messages")
    await call(client, f"CONSUMER.DELETE.{stream}.{name}", {})
    return reply["delivered"]["stream_seq"] + 1, int(reply["num_pending"])


async def stored_time(client: Client, stream: str, seq: int) -> datetime | None:
    """When a message was stored, None where it is not there any more; raises `BusError`."""
    reply = await call(client, f"STREAM.MSG.GET.{stream}", {"seq": seq})
    if reply.get("error", {}).get("err_code") in {_NO_MESSAGE, _NO_STREAM}:
        return None
    _check(reply, f"does not give message {seq}")
    return read_time(reply["message"]["time"])


async def first_from(
    client: Client, stream: str, filters: Iterable[str], seq: int
) -> Stored | None:
    """The first message from `seq` on that one of `filters` takes; raises `BusError`."""
    asked = [{"seq": max(seq, 1), "next_by_subj": subject} for subject in filters]
    found = await _messages(client, stream, asked)
    return min(found, key=lambda stored: stored.seq, default=None)


async def last_of(client: Client, stream: str, filters: Iterable[str]) -> Stored | None:
    """The last message that one of `filters` takes; raises `BusError`."""
    found = await _messages(client, stream, [{"last_by_subj": subject} for subject in filters])
    return max(found, key=lambda stored: stored.seq, default=None)


async def _messages(
    client: Client, stream: str, questions: Iterable[Mapping[str, Any]]
) -> list[Stored]:
    found: list[Stored] = []
    for asked in questions:
        reply = await call(client, f"STREAM.MSG.GET.{stream}", asked)
        if reply.get("error", {}).get("err_code") in {_NO_MESSAGE, _NO_STREAM}:
            continue
        _check(reply, "does not give a message")
        message = reply["message"]
        found.append(Stored(message["seq"], read_time(message["time"])))
    return found


async def count_subjects(client: Client, stream: str, subjects: str) -> dict[str, int]:
    """How many messages each of the stream's subjects has; none without it. Raises `BusError`."""
    counted: dict[str, int] = {}
    while True:
        asked = {"subjects_filter": subjects, "offset": len(counted)}
        reply = await call(client, f"STREAM.INFO.{stream}", asked)
        if reply.get("error", {}).get("err_code") == _NO_STREAM:
            return {}
        _check(reply, f"does not count what {stream} holds")
        page = reply["state"].get("subjects") or {}
        counted |= page
        if not page or len(counted) >= reply.get("total", 0):
            return counted


async def _note(client: Client, stream: str, name: str, said: Mapping[str, str]) -> None:
    """Put `said` of the pause in place of what stands there."""
    info = await consumer_info(client, stream, name)
    if info is None:
        raise BusError(f"the consumer {name} is gone")
    config = info["config"]
    kept = {k: v for k, v in (config.get("metadata") or {}).items() if k not in _NOTES}
    wanted = config | {"metadata": {**kept, **said}}
    if wanted == config:
        return
    body = {"stream_name": stream, "config": wanted, "action": "update"}
    reply = await call(client, f"CONSUMER.CREATE.{stream}.{name}", body)
    _check(reply, f"does not keep the reason with {name}")


def _pause(info: Mapping[str, Any]) -> Pause | None:
    if not info.get("paused"):
        return None
    said = info["config"].get("metadata") or {}
    return Pause(
        read_time(info["config"]["pause_until"]),
        *(said.get(name, "") for name in (PAUSE_REASON, _BY, _SINCE)),
    )


def _check(reply: Mapping[str, Any], what: str) -> None:
    if error := reply.get("error"):
        raise BusError(f"NATS {what}: {error.get('description', 'no reason given')}")
