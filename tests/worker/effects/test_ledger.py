"""The ledger on a real server: several processes, and what becomes of a body at a fault."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from nats.aio.client import Client

from receiver.bus.client import OnAnswer
from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.server_watch import RETURN_S
from receiver.bus.state.store import Entry, StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.testing import eventually
from receiver.worker.effects.failures import InDoubtError
from receiver.worker.effects.holders import BusHolders
from receiver.worker.effects.ledger import Asked, Found, Ledger
from receiver.worker.effects.os_process import name_of
from receiver.worker.effects.states import EffectRecord, State, read_record
from receiver.worker.interface import Retry

pytestmark = pytest.mark.anyio

OS_NAME = name_of(os.getpid())
where_the_system_says_it = pytest.mark.skipif(OS_NAME is None, reason="not on this system")
KEPT = timedelta(days=90)
SHIP = Asked("ship", None, "notify", "0a1b", "e.0", "order.created", "1", 1, timedelta(minutes=5))


@dataclass
class Process:
    """What a worker process has of the ledger; `ahead` is how far its clock is, `awake_s` what its
    monotonic clock says. Without an `os_name` it is
    one of another machine."""

    connection: Connection
    subjects: Subjects
    ahead: timedelta = timedelta()
    timeout_s: float = 30
    awake_s: float = 0.0
    os_name: str | None = None
    store: StateStore = field(init=False)
    holders: BusHolders = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.store = StateStore(self.connection, self.subjects, timeout_s=self.timeout_s)
        self.holders = BusHolders(
            [self.connection], self.subjects, sleep=asyncio.sleep, clock=lambda: self.awake_s
        )
        self.holders.process = self.os_name
        self.ledger = Ledger(self.store, self.holders, clock=self.now, kept=KEPT)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def claim(self) -> Found:
        found = await self.ledger.open(SHIP, None)
        assert found.is_claim
        return found

    async def state(self) -> EffectRecord:
        entry = await self.store.get(SHIP.key)
        assert entry.value is not None
        return read_record(entry.value)

    async def stop(self) -> None:
        await self.ledger.stop()
        await self.store.stop()


Another = Callable[..., Any]


@pytest.fixture
async def process(connection: Connection, subjects: Subjects) -> AsyncIterator[Process]:
    made = Process(connection, subjects)
    await made.store.ensure()
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def another(process: Process, url: str | None = None, **how: Any) -> AsyncIterator[Process]:
    """A process with a connection of its own, which ends with the block."""
    connection = Connection(url or process.connection.url, plans(process.subjects, []))
    assert await connection.start(patience_s=30)
    made = Process(connection, process.subjects, **how)
    try:
        yield made
    finally:
        await made.stop()
        await connection.stop()


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def test_while_a_body_runs_in_one_process_another_waits(process: Process) -> None:
    claim = await process.claim()
    async with another(process) as other:
        with pytest.raises(Retry, match="under way"):
            await other.ledger.open(SHIP, yes)
        await process.ledger.close(claim, "done", result={"parcel": 17})

        found = await other.ledger.open(SHIP, None)

    assert not found.is_claim
    assert found.record.result == {"parcel": 17}


async def test_of_many_processes_at_once_one_claims(process: Process) -> None:
    ledgers = [
        Ledger(
            process.store,
            BusHolders([process.connection], process.subjects, sleep=asyncio.sleep),
            clock=process.now,
            kept=KEPT,
        )
        for _ in range(20)
    ]

    found = await asyncio.gather(
        *(ledger.open(SHIP, no) for ledger in ledgers), return_exceptions=True
    )

    assert sum(isinstance(one, Found) for one in found) == 1
    assert sum(isinstance(one, Retry) for one in found) == 19


async def test_what_a_process_began_that_is_gone_is_in_doubt(process: Process) -> None:
    async with another(process) as other:
        await other.claim()

    with pytest.raises(InDoubtError, match="the process that ran it ended"):
        await process.ledger.open(SHIP, None)

    assert (await process.state()).state == "in_doubt"


@pytest.mark.parametrize(("resolve", "again"), [(yes, False), (no, True)])
async def test_what_a_process_began_that_is_gone_is_asked_for(
    process: Process, resolve: Any, again: bool
) -> None:
    async with another(process) as other:
        await other.claim()

    found = await process.ledger.open(SHIP, resolve)

    assert found.is_claim is again
    assert (await process.state()).state == ("claimed" if again else "done")


async def test_a_process_has_the_time_to_come_back_to_a_server_that_was_started_anew(
    process: Process,
) -> None:
    async with another(process) as other:
        await other.claim()
    entry = await process.store.get(SHIP.key)
    record = (await process.state()).model_copy(update={"server": "before it was started anew"})
    await process.store.put(SHIP.key, record.encoded(), entry.revision)

    with pytest.raises(Retry, match="under way"):
        await process.ledger.open(SHIP, no)
    process.awake_s += RETURN_S

    assert (await process.ledger.open(SHIP, no)).is_claim


@where_the_system_says_it
async def test_a_process_of_this_machine_is_not_gone_while_it_lives(process: Process) -> None:
    async with another(process, os_name=OS_NAME) as other:
        await other.claim()
    with pytest.raises(Retry, match="under way"):
        await process.ledger.open(SHIP, no)


@where_the_system_says_it
async def test_a_process_of_this_machine_that_ended_is_gone_at_once(process: Process) -> None:
    machine, pid, started = str(OS_NAME).split(".")
    async with another(process, os_name=f"{machine}.{pid}.{int(started) - 1}") as other:
        await other.claim()

    async def waits(seconds: float) -> None:
        raise AssertionError("it waits")

    asking = BusHolders([process.connection], process.subjects, sleep=waits)
    ledger = Ledger(process.store, asking, clock=process.now, kept=KEPT)
    assert (await ledger.open(SHIP, no)).is_claim


async def test_a_process_that_was_cut_off_says_again_that_a_body_runs(process: Process) -> None:
    async with another(process) as other:
        claim = await other.claim()
        await other.connection.client.close()  # it dials anew

        async def runs() -> bool:
            return await process.holders.asked(claim.record) == "runs"

        await eventually(runs, within_s=60)


async def test_a_process_that_does_not_answer_has_its_time(
    process: Process, client: Client
) -> None:
    async with another(process) as other:
        await other.claim()
    worker = (await process.state()).worker
    await client.subscribe(process.subjects.workers("effects", worker))  # and never an answer
    await client.flush()

    with pytest.raises(Retry, match="under way"):
        await process.ledger.open(SHIP, yes)
    process.ahead = timedelta(minutes=6)
    with pytest.raises(InDoubtError, match="does not answer, and its time is up"):
        await process.ledger.open(SHIP, None)


@pytest.mark.parametrize("ahead", [timedelta(days=400), timedelta(days=-400)])
async def test_no_clock_makes_a_second_body_while_the_first_one_runs(
    process: Process, ahead: timedelta
) -> None:
    claim = await process.claim()
    async with another(process, ahead=ahead) as other:
        with pytest.raises(Retry, match="under way"):
            await other.ledger.open(SHIP, no)

    await process.ledger.close(claim, "done")
    assert (await process.state()).state == "done"


async def test_who_comes_back_late_says_that_it_is_done(process: Process) -> None:
    claim = await process.claim()
    process.holders.end(claim.record.claim)  # as if its answer had not come in time
    async with another(process) as other:
        with pytest.raises(InDoubtError):
            await other.ledger.open(SHIP, None)

    await process.ledger.close(claim, "done", result="parcel")

    state = await process.state()
    assert (state.state, state.result) == ("done", "parcel")


async def test_who_comes_back_late_does_not_write_over_the_claim_of_another(
    process: Process,
) -> None:
    late = await process.claim()
    process.holders.end(late.record.claim)
    async with another(process) as other:
        claim = await other.ledger.open(SHIP, no)
        with structlog.testing.capture_logs() as logs:
            await process.ledger.close(late, "done", result="first")

        assert (await other.state()).claim == claim.record.claim
        await other.ledger.close(claim, "done", result="second")

    assert (await process.state()).result == "second"
    (lost,) = [line for line in logs if line["event"] == "effect_claim_lost"]
    assert (lost["effect"], lost["state"], lost["found"]) == ("notify", "done", "claimed")


async def test_what_is_done_is_stored_when_nats_is_back(
    process: Process, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with another(process, timeout_s=0.2) as other:
        claim = await other.claim()
        client = other.connection.client
        monkeypatch.setattr(client, "write", lambda commands: None)  # lost on the way
        with pytest.raises(BusError):
            await other.ledger.close(claim, "done", result="parcel")
        monkeypatch.undo()

        found = await other.ledger.open(SHIP, None)

    assert not found.is_claim
    assert found.record.result == "parcel"


@pytest.mark.parametrize("state", ["done", "released"])
async def test_who_comes_while_a_claim_is_closed_finds_it_closed(
    process: Process, state: State
) -> None:
    claim = await process.claim()
    with structlog.testing.capture_logs() as logs:
        closing = asyncio.create_task(process.ledger.close(claim, state))
        await asyncio.sleep(0)
        found = await process.ledger.open(SHIP, None)
        await closing

    assert found.is_claim is (state == "released")
    assert [line for line in logs if line["event"] == "effect_claim_lost"] == []


async def test_a_claim_whose_answer_was_lost_is_a_claim(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with another(process, timeout_s=0.2) as other:
        client = other.connection.client
        expect = client.expect
        lost: Iterator[OnAnswer] = iter([lambda _: None])  # that of the write; a read is answered
        monkeypatch.setattr(client, "expect", lambda on, **how: expect(next(lost, on), **how))

        found = await other.ledger.open(SHIP, None)

        assert found.is_claim
        assert (await process.store.get(SHIP.key)).revision == found.revision


async def test_a_claim_that_is_not_stored_leaves_nothing_in_doubt(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with another(process, timeout_s=0.2) as other:
        client = other.connection.client
        late: list[bytes] = []
        monkeypatch.setattr(client, "write", late.append)
        with pytest.raises(BusError):
            await other.ledger.open(SHIP, None)
        monkeypatch.undo()
        client.write(b"".join(late))  # it comes after all

        found = await other.ledger.open(SHIP, None)

    assert found.is_claim


async def test_where_the_stream_is_full_no_body_runs(process: Process) -> None:
    name = process.subjects.state_stream
    info = await call(process.connection.client, f"STREAM.INFO.{name}", {})
    full = info["config"] | {"max_bytes": 100}
    assert "error" not in await call(process.connection.client, f"STREAM.UPDATE.{name}", full)

    with pytest.raises(BusError, match="maximum bytes exceeded"):
        await process.ledger.open(SHIP, None)

    assert await process.store.get(SHIP.key) == Entry(None, 0)


async def test_where_the_stream_was_deleted_under_a_body_that_is_said(process: Process) -> None:
    claim = await process.claim()
    await process.connection.jetstream.delete_stream(process.subjects.state_stream)
    with pytest.raises(BusError):
        await process.ledger.close(claim, "done")  # finds out, and has it made anew

    with structlog.testing.capture_logs() as logs:
        await process.ledger.close(claim, "done")

    assert [line["event"] for line in logs] == ["effect_claim_lost"]
    assert await process.store.get(SHIP.key) == Entry(None, 0)


async def test_entries_live_for_as_long_as_events_and_a_day(process: Process) -> None:
    claim = await process.claim()
    await process.ledger.close(claim, "done")

    asked = {"last_by_subj": process.subjects.state(SHIP.key)}
    verb = f"STREAM.MSG.GET.{process.subjects.state_stream}"
    message = (await call(process.connection.client, verb, asked))["message"]
    assert b"Nats-TTL: 7862400s\r\n" in base64.b64decode(message["hdrs"])
