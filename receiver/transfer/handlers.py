"""Handlers and an import: none may run what is imported unasked, and each goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from receiver.bus.beginning import unfinished
from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan, consumer_info
from receiver.bus.durables import PREFIX, durables
from receiver.bus.jetstream_api import call
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.transfer.manifest import Manifest

_NAMED: Final = 5


async def check_none_runs(connection: Connection, subjects: Subjects) -> None:
    """Raise `ConfigurationError` where a handler has a position in the stream already: it would run
    what is stored behind that.
    """
    found = await durables(connection.client, subjects.stream)
    names = [one.handler for one in found if not one.half_made]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise ConfigurationError(
            f"handlers take from {subjects.stream} already ({', '.join(names[:_NAMED])}{more}), "
            "and would run what is imported now: give --handlers-run if they should (effects that "
            "happened do not fire again), or import before the handlers start for the first time"
        )


async def begin_where_they_were(
    connection: Connection,
    plans: Sequence[ConsumerPlan],
    manifest: Manifest,
    starts: Mapping[str, int],
) -> tuple[Sequence[str], Sequence[str]]:
    """Have each handler of the export that is loaded here begin at its sequence of `starts`.

    A handler that has a position here keeps it. Gives the names of those that begin so, and of
    those that are not loaded and had something to do. Raises `BusError`.
    """
    loaded = {plan.durable.removeprefix(PREFIX): plan for plan in plans}
    begun, missing = [], []
    for handler in manifest.handlers:
        plan = loaded.get(handler.name)
        if plan is None:
            missing += [handler.name] if handler.undone else []
        elif await consumer_info(connection.client, plan.stream, plan.durable) is None:
            await _make(connection, plan, starts[handler.name])
            begun.append(handler.name)
    return begun, missing


async def _make(connection: Connection, plan: ConsumerPlan, seq: int) -> None:
    """Half a durable: the first worker that starts puts it where it begins."""
    body = {
        "stream_name": plan.stream,
        "config": plan.config() | unfinished(seq),
        "action": "create",
    }
    reply = await call(connection.client, f"CONSUMER.CREATE.{plan.stream}.{plan.durable}", body)
    if "error" in reply:
        said = reply["error"].get("description")
        raise BusError(f"NATS refuses the consumer {plan.durable}: {said}")
