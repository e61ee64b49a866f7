"""The orders that have a number, by the index that handlers keep, and how far that index is."""

from __future__ import annotations

from typing import Final

from receiver.bus.state.numbers import NumberOfOrder, entries_of
from receiver.errors import BusError
from receiver.operations.look.archive import Archive, Mention
from schemas.facts import waybill

KEEPER: Final = "order_state"
"""The built-in handler that keeps the index for every order; any other with `state=True` does for
the events that it takes."""
FILL: Final = "`yizhan state rebuild` fills it from the stored events"
MAX_ORDERS: Final = 1000


async def indexed(archive: Archive, text: str, channel: str | None = None) -> list[Mention]:
    """The orders that have a number, as it is written or as waybill numbers are compared; of very
    many, `MAX_ORDERS`. Raises what `Reader` raises.
    """
    stream = archive.subjects.state_stream
    named: dict[str, int] = {}
    for key in entries_of(filter(None, (text, waybill(text))), channel):
        named |= await archive.count_by_subject(stream, archive.subjects.state(key))
    found: dict[tuple[str, str], Mention] = {}
    for stored in await archive.reader.last(stream, [*named][:MAX_ORDERS]):
        if (entry := NumberOfOrder.from_json(stored.body)) is not None:
            place = entry.channel, entry.order_id
            found.setdefault(place, Mention(*place, entry.field, None))
    return list(found.values())


async def why_not_indexed(archive: Archive) -> str:
    """What the index may lack, and what fills it."""
    try:
        durables = {one.handler: one for one in await archive.durables()}
    except BusError as error:
        return f"whether it is complete is unknown ({error}); {FILL}"
    keeper = durables.get(KEEPER)
    if keeper is None:
        return f"the handler {KEEPER}, which keeps it, has never run here; {FILL}"
    waits = keeper.pending + keeper.unfinished
    if keeper.pause is not None:
        return f"the handler {KEEPER}, which keeps it, is paused with {waits:,} events before it"
    if waits:
        return f"the handler {KEEPER}, which keeps it, has {waits:,} events before it"
    return f"what was stored before there was an index is not in it until {FILL}"
