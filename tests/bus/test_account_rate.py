"""The rate of one account among several processes, on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.js.errors import NotFoundError

from receiver.bus.account_rate import AccountRate
from receiver.bus.connection import Connection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects

ACCOUNT = "https://platform.test AK"


@pytest.fixture(autouse=True)
async def _tidy(connection: Connection, subjects: Subjects) -> AsyncIterator[None]:
    yield
    with contextlib.suppress(NotFoundError):
        await connection.jetstream.delete_stream(subjects.rate_stream)


async def test_no_moment_is_given_to_two_processes(
    connection: Connection, subjects: Subjects
) -> None:
    processes = [AccountRate(connection, subjects, ACCOUNT) for _ in range(4)]

    async def taken(process: AccountRate) -> list[float]:
        """Sixty moments, by the server's clock."""
        found: list[float] = []
        while len(found) < 60:
            found += [at + process._ahead_s for at in await process.take(6, 200) or ()]
        return found

    each = await asyncio.gather(*map(taken, processes))

    moments = sorted(moment for found in each for moment in found)
    assert len(moments) == 240
    assert all(later - earlier > 0.00499 for earlier, later in itertools.pairwise(moments))
    assert {process.processes for process in processes} <= {1, 2, 3, 4}
    assert max(process.processes for process in processes) == 4


async def test_a_process_that_has_the_account_to_itself_takes_it_in_one_row(
    connection: Connection, subjects: Subjects
) -> None:
    process = AccountRate(connection, subjects, ACCOUNT)

    first, second = await process.take(2, 10), await process.take(3, 10)

    assert first is not None
    assert second is not None
    moments = [*first, *second]
    apart = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert apart[0] == pytest.approx(0.1, abs=1e-4)
    assert min(apart) > 0.0999
    assert process.processes == 1


async def test_each_account_has_a_rate_of_its_own(
    connection: Connection, subjects: Subjects
) -> None:
    one = AccountRate(connection, subjects, ACCOUNT)
    other = AccountRate(connection, subjects, "another")

    await one.take(1000, 0.1)
    taken = await other.take(1, 0.1)

    assert taken is not None
    assert taken[0] - asyncio.get_running_loop().time() < 600


async def test_what_is_kept_names_neither_account_nor_secret(
    connection: Connection, subjects: Subjects
) -> None:
    await AccountRate(connection, subjects, ACCOUNT).take(1, 10)

    message = await connection.jetstream.get_last_msg(subjects.rate_stream, subjects.all_rates)

    assert "AK" not in (message.subject or "")
    assert set(json.loads(message.data or b"")) == {"free_from", "members"}


async def test_a_stream_that_was_deleted_is_made_again(
    connection: Connection, subjects: Subjects
) -> None:
    now = [0.0]
    process = AccountRate(connection, subjects, ACCOUNT, clock=lambda: now[0])
    await process.take(1, 10)
    await connection.jetstream.delete_stream(subjects.rate_stream)

    lost = await process.take(1, 10)
    now[0] += 60
    again = await process.take(1, 10)

    assert lost is None
    assert again is not None


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"free_from": "x", "members": {}}'])
async def test_what_cannot_be_read_is_not_shared(
    connection: Connection, subjects: Subjects, body: bytes
) -> None:
    process = AccountRate(connection, subjects, ACCOUNT)
    await process.take(1, 10)
    await connection.jetstream.publish(process._subject, body)

    assert await process.take(1, 10) is None


async def test_without_nats_there_is_nothing_to_take(subjects: Subjects) -> None:
    away = Connection("nats://127.0.0.1:9", plans(subjects, [timedelta(hours=1)]))
    await away.start(patience_s=0.01)

    taken = await AccountRate(away, subjects, ACCOUNT).take(1, 10)
    await away.stop()

    assert taken is None
