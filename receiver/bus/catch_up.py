"""Catching up with one subject: what was stored long ago is read with a narrower filter.

For a durable of several subjects the server goes through all subjects of a block for each message
(nats-server 2.15, server/filestore.go `firstMatchingMulti`), which is its most expensive work by
far while a handler catches up. Nearly all comes on one subject, and on the others, the rare ones,
nothing that was stored by now is left: then these are taken out of the filter, for no more
messages than lie before the end of the stream as it was. What is stored on them afterwards lies
behind that end, and is reached with the whole filter alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from nats.aio.client import Client

from receiver.bus.jetstream_api import call
from receiver.errors import BusError
from receiver.observability.logs import get_logger

_END: Final = "yizhan-catch-up"
"""Where the stream ended when the filter was narrowed, in the durable's metadata."""
_WORTH_IT: Final = 2_000
_MARGIN: Final = 1_000
"""So many before the end are left to the whole filter: pulls of an earlier session may be served
still, and messages may be removed meanwhile."""
_NO_MESSAGE: Final = 10037


class Caught(Protocol):
    """The part of a consumer's plan that says what may be left out."""

    @property
    def stream(self) -> str:
        """The stream."""

    @property
    def durable(self) -> str:
        """The name."""

    @property
    def filter_subjects(self) -> Sequence[str]:
        """All that is consumed."""

    @property
    def rare_subjects(self) -> Sequence[str]:
        """Those of them on which little comes."""


async def narrow(client: Client, plan: Caught) -> int | None:
    """Leave out the rare subjects where that is safe and worth it; raises `BusError`.

    Gives how many messages may be pulled until the durable has to be brought up to date again, None
    where nothing was left out.
    """
    usual = sorted(set(plan.filter_subjects) - set(plan.rare_subjects))
    if len(usual) != 1 or not plan.rare_subjects:
        return None
    info = await _asked(client, f"CONSUMER.INFO.{plan.stream}.{plan.durable}", {})
    if info["num_pending"] < _WORTH_IT:
        return None
    stream = await _asked(client, f"STREAM.INFO.{plan.stream}", {})
    end, floor = stream["state"]["last_seq"], info["ack_floor"]["stream_seq"]
    if await _first_rare(client, plan, floor + 1) <= end:
        return None
    config = info["config"]
    metadata = {**(config.get("metadata") or {}), _END: str(end)}
    narrowed = {**config, "filter_subjects": usual, "metadata": metadata}
    body = {"stream_name": plan.stream, "config": narrowed, "action": "update"}
    await _asked(client, f"CONSUMER.CREATE.{plan.stream}.{plan.durable}", body)
    return int(info["num_pending"]) - _MARGIN


def without_end(config: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A durable's configuration without the note of `narrow`, and the end that it noted; 0 where
    the filter was not narrowed.
    """
    metadata = dict(config.get("metadata") or {})
    end = metadata.pop(_END, None)
    return (dict(config), 0) if end is None else ({**config, "metadata": metadata}, int(end))


async def go_back(client: Client, plan: Caught, end: int, info: Mapping[str, Any]) -> None:
    """Called once the filter is whole again, with what the server says of the durable: begin again
    at the first rare message that was passed by. Raises `BusError`.

    There is one only where messages were removed meanwhile, or a process was suspended just as it
    narrowed the filter.
    """
    reached = info["delivered"]["stream_seq"]
    if reached <= end:
        return
    passed = await _first_rare(client, plan, end + 1)
    if passed <= reached:
        await _asked(client, f"CONSUMER.RESET.{plan.stream}.{plan.durable}", {"seq": int(passed)})
        get_logger("yizhan.handlers").warning(
            "consumer_gone_back", consumer=plan.durable, stream_seq=passed
        )


async def _first_rare(client: Client, plan: Caught, start: int) -> float:
    """The first sequence of a rare message from `start` on; infinity where there is none."""
    found = [math.inf]
    for subject in plan.rare_subjects:
        asked = {"seq": start, "next_by_subj": subject}
        reply = await call(client, f"STREAM.MSG.GET.{plan.stream}", asked)
        if "error" not in reply:
            found.append(reply["message"]["seq"])
        elif reply["error"].get("err_code") != _NO_MESSAGE:
            raise BusError(f"NATS does not read {subject}: {reply['error'].get('description')}")
    return min(found)


async def _asked(client: Client, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
    reply = await call(client, verb, body)
    if "error" in reply:
        raise BusError(f"NATS refuses {verb}: {reply['error'].get('description')}")
    return reply
