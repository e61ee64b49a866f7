"""Events as they are stored, in the order of the stream, without a gap over a restart of NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError

_LOOK_S: Final = 0.5


async def follow(reader: Reader, chosen: StreamSelection) -> AsyncGenerator[StoredMessage, None]:
    """What is selected, from `since` on where it is given, else what is stored from now on; until
    cancelled. Raises what `Reader` raises where NATS is away at first, and later waits for it.

    Asks by subject twice a second: that needs no right beyond those of every other reading.
    """
    info = await reader.info(chosen.stream)
    last = info["state"]["last_seq"] if info and chosen.since is None else 0
    behind = replace(chosen, tests=(), limit=None)  # so that each is looked at once
    begun = False
    while True:
        try:
            async with aclosing(reader.read(behind, after_seq=last)) as reading:
                async for stored in reading:
                    last = stored.stream_seq
                    if chosen.keeps(stored):
                        yield stored
            begun = True
        except BusError:
            if not begun:
                raise
        if last:
            behind = replace(behind, since=None)
        await asyncio.sleep(_LOOK_S)
