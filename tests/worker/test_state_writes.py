"""States of orders that are written behind the runs: together, the newest, over what is there."""

from __future__ import annotations

import asyncio

from receiver.bus.state.memory import MemoryEntries
from receiver.bus.state.numbers import NumberOfOrder
from receiver.bus.state.store import Entry
from receiver.errors import BusError
from receiver.projection.state import OrderState, empty
from receiver.worker.state_writes import Kept, StateWrites


class Entries(MemoryEntries):
    """Entries that note each write, and refuse while `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.full = False

    async def put(self, key: str, value: bytes, revision: int, **more: object) -> int:
        if self.full:
            raise BusError("no room")
        self.writes.append(value)
        return await super().put(key, value, revision)


def state(seq: int) -> OrderState:
    return empty("1688", "1").model_copy(update={"seq": seq, "events": seq})


class Process:
    """One process that writes to entries."""

    def __init__(self, entries: Entries) -> None:
        self.known: dict[str, Kept | None] = {}
        self.entries = entries
        self.writes = StateWrites(entries, self.read, self.known.__setitem__)

    async def read(self, key: str, otherwise: OrderState) -> Kept:
        entry: Entry = await self.entries.get(key)
        assert entry.value is not None
        return Kept(OrderState.from_json(entry.value), entry.revision)


async def test_of_what_changes_meanwhile_only_the_newest_is_written() -> None:
    process = Process(entries := Entries())
    for seq in (1, 2, 3):
        process.writes.put("a", state(seq), 0)
    process.writes.put("b", state(9), 0)
    await process.writes.flush()

    assert entries.writes == [state(3).to_json(), state(9).to_json()]
    assert process.known == {"a": Kept(state(3), 1), "b": Kept(state(9), 2)}
    assert process.writes.get("a") is None


async def test_a_state_goes_over_one_of_fewer_events_and_leaves_one_of_more() -> None:
    entries = Entries()
    slow, quick = Process(entries), Process(entries)
    quick.writes.put("a", state(1), 0)
    quick.writes.put("b", state(5), 0)
    await quick.writes.flush()
    slow.writes.put("a", state(2), 0)
    slow.writes.put("b", state(4), 0)
    await slow.writes.flush()

    values = [(await entries.get(key)).value for key in ("a", "b")]
    assert values == [state(2).to_json(), state(5).to_json()]
    assert slow.known["b"] is None


async def test_what_cannot_be_written_is_forgotten_and_the_next_is_tried() -> None:
    process = Process(entries := Entries())
    entries.full = True
    process.writes.put("a", state(1), 0)
    await process.writes.flush()
    assert process.known == {"a": None}

    entries.full = False
    process.writes.put("a", state(2), 0)
    await process.writes.flush()
    assert (await entries.get("a")).value == state(2).to_json()


async def test_numbers_go_before_the_state_and_without_them_it_is_not_kept() -> None:
    number, later = (NumberOfOrder("order_no", f"PO-{n}", "1688", "1") for n in (7, 8))
    process = Process(entries := Entries())
    process.writes.put("a", state(1), 0, [number])
    process.writes.put("a", state(2), 0, [number])
    await process.writes.flush()
    assert entries.writes == [number.to_json(), state(2).to_json()]
    assert NumberOfOrder.from_json(entries.writes[0]) == number

    entries.full = True
    process.writes.put("a", state(3), 2, [later])
    await process.writes.flush()
    entries.full = False
    process.writes.put("a", state(4), 2, [number])
    await process.writes.flush()
    assert entries.writes[2:] == [state(4).to_json()]


async def test_a_write_that_hangs_is_given_up_at_the_end() -> None:
    class Hanging(Entries):
        async def put(self, key: str, value: bytes, revision: int, **more: object) -> int:
            await asyncio.Event().wait()
            return 0

    process = Process(Hanging())
    process.writes.put("a", state(1), 0)
    await process.writes.flush(patience_s=0.01)
    assert process.known == {}
