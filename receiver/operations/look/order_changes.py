"""Whether something of an order was stored meanwhile, for one who looks at its page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.durables import count_subjects
from receiver.bus.subjects import ANY, Subjects, encode_token
from receiver.errors import BusError, ConfigurationError

_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """What a look found: the new `mark` where there is something new, else none; `why` is what NATS
    said where it did not answer.
    """

    mark: str = ""
    why: str = ""


async def order_mark(connection: Connection, subjects: Subjects, order_id: str | None) -> str:
    """How many events, waiting runs and records of runs are stored of an order, as a text to
    compare; raises `BusError`. What a callback brings is an event, and an effect or a call of the
    API belongs to a run.
    """
    root, key = subjects.root, encode_token(order_id)
    waiting = f"{root}.schedules.{ANY}.{ANY}.{ANY}.{key}"
    asked = (
        (subjects.stream, f"{root}.events.{ANY}.{ANY}.{ANY}.{key}"),
        (subjects.stream, waiting),
        (subjects.stream, f"{waiting}.{ANY}"),
        (subjects.runs_stream, f"{root}.runs.{ANY}.{ANY}.{key}"),
    )
    client = connection.client
    counted = await asyncio.gather(
        *(connection.allowed(client, count_subjects(client, *one)) for one in asked)
    )
    return "-".join(str(sum(counts.values())) for counts in counted)


async def changes(
    connection: Connection,
    subjects: Subjects,
    order_id: str | None,
    mark: str,
    ending: asyncio.Event,
) -> AsyncGenerator[Change, None]:
    """A look twice a second for what is new since `mark`, until `ending` is set."""
    while not ending.is_set():
        try:
            found = await order_mark(connection, subjects, order_id)
            change = Change() if found == mark else Change(found)
            mark = found
        except (BusError, ConfigurationError) as error:
            change = Change(why=str(error))
        yield change
        try:
            await asyncio.wait_for(ending.wait(), _LOOK_S)
        except TimeoutError:
            continue
