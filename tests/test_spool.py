"""The spool's file: what is put is on disk, once, in order, within its limit, for many at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publisher import GuardTakenError
from receiver.errors import SpoolError
from receiver.spool import LIMIT_WAITING_BYTES, Spool
from receiver.spool_file import Bundle, decode_bundle, encode_bundle

LIMIT = 64 * 1024 * 1024
PER_PROCESS = 200


def message(msg_id: str, body: bytes = b"{}") -> OutgoingMessage:
    return OutgoingMessage.of("t.callbacks.s", {MSG_ID: msg_id, "yizhan-client": "%20"}, body)


def bundle(msg_id: str, *, guard: str = "", body: bytes = b"{}") -> Bundle:
    owner = OutgoingMessage.of("t.nonces.s", {MSG_ID: guard}, msg_id.encode()) if guard else None
    return Bundle([message(msg_id, body), message(f"{msg_id}.0")], owner)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool.sqlite3"


@pytest.fixture
async def spool(path: Path) -> AsyncIterator[Spool]:
    opened = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    yield opened
    await opened.close()


async def test_what_is_put_is_read_byte_for_byte_oldest_first(spool: Spool) -> None:
    bodies = [b"\n\n{}", b"", bytes(range(256)), b'{"messages":1}\n']
    for number, body in enumerate(bodies):
        assert await spool.put(bundle(str(number), body=body, guard=f"g{number}"))
    read = await spool.read()
    assert [kept.bundle.messages[0].body for kept in read] == bodies
    assert [kept.bundle for kept in read][3] == bundle("3", body=bodies[3], guard="g3")
    assert await spool.read(after=read[2].row) == read[3:]


async def test_an_id_is_kept_once(spool: Spool) -> None:
    assert [await spool.put(bundle("a")), await spool.put(bundle("a"))] == [True, False]
    assert (await spool.state()).depth == 1


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"messages":[],"guarded":false}\n'], ids=repr)
async def test_a_row_that_cannot_be_read_stays_and_holds_up_no_other(
    spool: Spool, path: Path, content: bytes
) -> None:
    for msg_id in "abc":
        await spool.put(bundle(msg_id))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE bundles SET content = ? WHERE id = 'a'", (content,))
        database.execute("UPDATE bundles SET content = substr(content, 1, 150) WHERE id = 'b'")
    database.close()
    with capture_logs() as logs:
        assert [kept.bundle.id for kept in await spool.read(limit=1)] == ["c"]
        assert [kept.bundle.id for kept in await spool.read()] == ["c"]
    assert [(line["event"], line["row"]) for line in logs] == [
        ("spooled_row_unreadable", 1),
        ("spooled_row_unreadable", 2),
    ]
    assert (await spool.state()).depth == 3


async def test_many_at_once_share_transactions(spool: Spool) -> None:
    await asyncio.gather(*(spool.put(bundle(str(number))) for number in range(2000)))
    state = await spool.state()
    assert (state.depth, state.by_source) == (2000, {"s": 2000})
    assert [kept.bundle.id for kept in await spool.read(limit=5)] == ["0", "1", "2", "3", "4"]


async def test_what_is_removed_is_gone_and_its_room_is_free(spool: Spool) -> None:
    before = (await spool.state()).size_bytes
    await spool.put(bundle("a", body=b"x" * 1_000_000))
    (kept,) = await spool.read()
    await spool.remove([kept.row])
    state = await spool.state()
    assert (state.depth, state.oldest_age_s, state.size_bytes) == (0, 0, before)


async def test_a_read_is_bounded_in_bytes_but_gives_at_least_one(spool: Spool) -> None:
    for number in range(4):
        await spool.put(bundle(str(number), body=b"x" * 5_000_000))
    assert [len(await spool.read(after=row)) for row in (0, 1, 4)] == [1, 1, 0]


async def test_a_guard_is_taken_by_another_bundle_and_not_by_ones_own(spool: Spool) -> None:
    await spool.put(bundle("mine", guard="nonce"))
    with pytest.raises(GuardTakenError) as taken:
        await spool.put(bundle("other", guard="nonce"))
    assert taken.value.owner == "mine"
    assert not await spool.put(bundle("mine", guard="nonce"))


async def test_a_full_spool_refuses_and_takes_again_once_drained(path: Path) -> None:
    spool = Spool(path, limit_bytes=256 * 1024, put_timeout_s=10)
    big = b"x" * 100_000
    puts = [spool.put(bundle(str(number), body=big)) for number in range(9)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    kept = await spool.read()
    assert 1 <= len(kept) <= 2
    assert results[: len(kept)] == [True] * len(kept)
    assert all("is full" in str(error) for error in results[len(kept) :])
    await spool.remove([one.row for one in kept])
    assert await spool.put(bundle("later", body=big))
    await spool.close()


async def test_too_much_at_once_is_refused_before_it_fills_the_memory(spool: Spool) -> None:
    body = b"x" * 4_000_000
    puts = [spool.put(bundle(str(n), body=body)) for n in range(LIMIT_WAITING_BYTES // 2_000_000)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    refused = [result for result in results if isinstance(result, SpoolError)]
    assert refused
    assert await spool.put(bundle("after"))


async def test_a_path_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool.sqlite3", limit_bytes=LIMIT)
    with pytest.raises(SpoolError, match=r"file/spool\.sqlite3"):
        await spool.put(bundle("a"))
    (tmp_path / "file").unlink()
    assert await spool.put(bundle("a"))  # mended without a restart
    await spool.close()


def no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)


async def test_a_file_that_is_no_database_is_an_error(path: Path) -> None:
    no_database(path)
    spool = Spool(path, limit_bytes=LIMIT)
    with pytest.raises(SpoolError, match="not a database"):
        await spool.put(bundle("a"))
    await spool.close()


@pytest.mark.serial
async def test_a_file_that_another_holds_for_too_long_is_an_error_in_time(path: Path) -> None:
    spool = Spool(path, limit_bytes=LIMIT)
    await spool.put(bundle("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = asyncio.get_running_loop().time()
    with pytest.raises(SpoolError):
        await spool.put(bundle("b"))
    assert asyncio.get_running_loop().time() - started < 0.4
    other.execute("ROLLBACK")
    other.close()
    assert await spool.put(bundle("c"))
    await spool.close()


async def test_only_its_owner_may_read_it(spool: Spool) -> None:
    await spool.put(bundle("a"))
    for file in spool.path.parent.glob("spool.sqlite3*"):
        assert file.stat().st_mode & 0o077 == 0, file


def _fill(path: Path, name: str) -> None:
    """Put until killed, and say of each put that returned; runs in a process of its own."""

    async def main() -> None:
        spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=30)
        puts = (spool.put(bundle(f"{name}-{number}")) for number in range(PER_PROCESS))
        for group in zip(*[puts] * 10, strict=True):
            await asyncio.gather(*group)
        os._exit(0)  # as a kill: nothing is closed

    asyncio.run(main())


async def test_processes_share_a_file_and_a_dead_one_leaves_its_rows(path: Path) -> None:
    path.parent.mkdir()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(path, f"p{n}")) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join, 60)
        assert process.exitcode == 0
        process.close()
    spool = Spool(path, limit_bytes=LIMIT)
    ids = await spool.ids()
    assert ids == {f"p{n}-{number}" for n in range(4) for number in range(PER_PROCESS)}
    await spool.close()


@pytest.mark.parametrize("content", [b"", b"{}\n", b"[]\n", b'{"messages":[[1]]}\n', b"\xff\n"])
def test_a_row_that_was_not_written_by_us_is_an_error(content: bytes) -> None:
    with pytest.raises(SpoolError):
        decode_bundle(content)


def test_a_bundle_round_trips_whatever_its_headers_hold() -> None:
    odd = OutgoingMessage.of("t.callbacks.s", {MSG_ID: "1", "x": "ä \udc80: "}, b"\x00\n")
    assert decode_bundle(encode_bundle(Bundle([odd]))) == Bundle([odd])
