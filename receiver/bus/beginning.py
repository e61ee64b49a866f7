"""Making a durable that does not begin at the first message of its stream.

One that is made with a start sequence, or for new messages, can never be rewound below it (the
server refuses it with 10204). So it is made for all messages, paused, moved, and resumed. A start
that finds one half made, by how long it is paused, goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from nats.aio.client import Client

from receiver.bus.jetstream_api import call
from receiver.errors import BusError
from receiver.observability.logs import get_logger

_HALF_MADE: Final = "2999-12-31T00:00:00Z"
"""Until when a durable is paused that is being made: no operator pauses one so long."""
_SEQUENCE: Final = "yizhan-start"
"""Where a half-made durable is to begin, in its metadata."""
_NO_MESSAGE: Final = 10037


class Beginning(Protocol):
    """The part of a consumer's plan that says where it begins."""

    @property
    def stream(self) -> str:
        """The stream."""

    @property
    def durable(self) -> str:
        """The name."""

    @property
    def start(self) -> str | datetime:
        """`all`, `new`, or a time."""

    @property
    def was(self) -> str:
        """The durable whose position it takes over; empty for none."""


async def first_sequence(client: Client, plan: Beginning) -> int:
    """Where a durable that is made now begins; 1 is the first message. Raises `BusError`."""
    if plan.was:
        former = await call(client, f"CONSUMER.INFO.{plan.stream}.{plan.was}", {})
        if "error" not in former:
            return int(former["ack_floor"]["stream_seq"]) + 1
    if plan.start == "all":
        return 1
    if isinstance(plan.start, datetime):
        time = plan.start.astimezone(UTC).isoformat()
        found = await call(client, f"STREAM.MSG.GET.{plan.stream}", {"start_time": time})
        if "error" not in found:
            return int(found["message"]["seq"])
        if found["error"].get("err_code") != _NO_MESSAGE:
            raise BusError(f"where {plan.durable} begins: {found['error'].get('description')}")
    info = await call(client, f"STREAM.INFO.{plan.stream}", {})
    if "error" in info:
        raise BusError(f"where {plan.durable} begins: {info['error'].get('description')}")
    return int(info["state"]["last_seq"]) + 1


def unfinished(sequence: int) -> dict[str, Any]:
    """What the configuration of a durable has until `finish`, where it begins at `sequence`."""
    if sequence <= 1:
        return {}
    return {"pause_until": _HALF_MADE, "metadata": {_SEQUENCE: str(sequence)}}


def is_unfinished(config: Mapping[str, Any]) -> bool:
    """Whether a durable is half made."""
    return config.get("pause_until") == _HALF_MADE and _SEQUENCE in (config.get("metadata") or {})


async def finish(client: Client, plan: Beginning, info: Mapping[str, Any]) -> None:
    """Move a half-made durable to where it begins, and let it go; raises `BusError`.

    Logs how many stored events it leaves alone.
    """
    name, sequence = f"{plan.stream}.{plan.durable}", int(info["config"]["metadata"][_SEQUENCE])
    moved = await _done(client, f"CONSUMER.RESET.{name}", {"seq": sequence})
    await _done(client, f"CONSUMER.PAUSE.{name}", {})
    left = max(0, info.get("num_pending", 0) - moved.get("num_pending", 0))
    handler = plan.durable.removeprefix("handler-")
    get_logger("yizhan.handlers").info(
        "handler_begins",
        handler=handler,
        stream_seq=sequence,
        events_left_alone=left,
        action=f"to run them: yizhan replay --to handler:{handler}" if left else "",
    )


async def _done(client: Client, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
    reply = await call(client, verb, body)
    if "error" in reply:
        raise BusError(f"NATS refuses {verb}: {reply['error'].get('description')}")
    return reply
