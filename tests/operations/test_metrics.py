"""What the log holds, as figures, on a real stream."""

from __future__ import annotations

import json

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.read.reader import Reader
from receiver.bus.state.keys import effect_key
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.operations.metrics.effects import EffectStates


async def test_effects_are_counted_by_handler_and_state(
    connection: Connection, subjects: Subjects
) -> None:
    states = EffectStates(Reader(connection), subjects)
    empty = await states.figures()
    store = StateStore(connection, subjects)
    await store.ensure()

    async def put(handler: str, fact: str, state: str, revision: int = 0) -> int:
        body = json.dumps({"state": state}).encode()
        return await store.put(effect_key(handler, fact, "n"), body, revision)

    claimed = await put("ship", "1", "claimed")
    for fact in ("2", "3"):
        await put("ship", fact, "done")
    gone = await put("ship", "4", "in_doubt")
    await put("bill", "1", "done")
    first = await states.figures()
    await put("ship", "1", "done", claimed)
    deleted = {"seq": gone, "no_erase": True}
    await call(connection.client, f"STREAM.MSG.DELETE.{subjects.state_stream}", deleted)
    second = await states.figures()
    await store.stop()

    assert empty.gauges == {}
    assert {key[1:]: value for key, value in first.gauges.items() if value} == {
        ("ship", "claimed"): 1,
        ("ship", "done"): 2,
        ("ship", "in_doubt"): 1,
        ("bill", "done"): 1,
    }
    assert {key[1:]: value for key, value in second.gauges.items() if value} == {
        ("ship", "done"): 3,
        ("bill", "done"): 1,
    }
