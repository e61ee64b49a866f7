"""What a worker process answers about its handlers."""

from __future__ import annotations

import asyncio
import os
import socket

from nats.aio.client import Client

from receiver.bus.worker_calls import ask_workers
from receiver.event import Event
from receiver.operations.workers import activity, ask_status
from receiver.testing import eventually
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from receiver.worker.status import STATUS
from schemas.events import OrderCreated
from tests.worker.conftest import Bench


def waiting(go: asyncio.Event) -> Router:
    router = Router()

    @router.on(OrderCreated, start="all", concurrency=1)
    async def note(event: Event[OrderCreated], ctx: Context) -> None:
        await go.wait()

    return router


async def test_a_process_says_what_it_runs_and_what_became_of_it(
    bench: Bench, client: Client
) -> None:
    go = asyncio.Event()
    router = waiting(go)
    await bench.store(*[OrderCreated(channel="1688", order_id=order) for order in "123"])
    worker = await bench.work(router)
    await eventually(lambda: worker.status().handlers["note"].waiting == 2, within_s=60)
    (busy,) = await ask_status(client, bench.subjects, pids=[os.getpid()])
    go.set()
    await bench.handled(router)
    await eventually(lambda: not worker.status().handlers["note"].unanswered, within_s=60)
    (done,) = await ask_status(client, bench.subjects)
    assert (busy.host, busy.pid) == (socket.gethostname(), os.getpid())
    assert (busy.handlers["note"].role, busy.handlers["note"].running) == ("owner", 1)
    assert not activity([busy], "note").idle
    assert activity([done], "note").idle
    assert done.handlers["note"].outcomes == {"done": 3}
    assert done.handlers["note"].owner_changes == 1
    assert sum(done.handlers["note"].buckets) == 3


async def test_of_several_processes_one_owns_the_handler(bench: Bench, client: Client) -> None:
    go = asyncio.Event()
    router = waiting(go)
    workers = [await bench.work(router), await bench.work(router)]
    await bench.store(OrderCreated(channel="1688", order_id="1"))

    def running() -> list[str]:
        return [s.worker for s in (w.status() for w in workers) if s.handlers["note"].running]

    await eventually(lambda: len(running()) == 1, within_s=60)
    found = await ask_status(client, bench.subjects)
    owner = activity(found, "note").owner
    assert {status.worker for status in found} == {w.status().worker for w in workers}
    assert owner is not None
    assert [owner.worker] == running()
    assert activity(found, "other").owner is None
    go.set()


async def test_nobody_answers_where_no_worker_runs(bench: Bench, client: Client) -> None:
    assert await ask_status(client, bench.subjects) == []


async def test_an_answer_that_is_none_of_ours_is_passed_over(bench: Bench, client: Client) -> None:
    async def answer(message: object) -> None:
        await client.publish(getattr(message, "reply", ""), b'{"worker": 1}')

    await client.subscribe(bench.subjects.workers(STATUS), cb=answer)
    assert await ask_workers(client, bench.subjects, STATUS) == [b'{"worker": 1}']
    assert await ask_status(client, bench.subjects) == []
