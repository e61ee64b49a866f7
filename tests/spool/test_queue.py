"""The spool's file: what is put is on disk, once, in order, within its limit, for many at once."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from receiver.bus.message import MSG_ID, OutgoingMessage
from receiver.bus.publish.contract import Bundle, NonceClaimedError
from receiver.callback import callback_id
from receiver.errors import SpoolError
from receiver.spool.queue import MAX_WAITING_BYTES, Spool
from receiver.spool.row import decode_bundle, encode_bundle

LIMIT = 64 * 1024 * 1024
PER_PROCESS = 200


def message(msg_id: str, body: bytes = b"{}") -> OutgoingMessage:
    return OutgoingMessage.of("t.callbacks.s", {MSG_ID: msg_id, "yizhan-client": "%20"}, body)


def bundle(msg_id: str, *, claim: str = "", body: bytes = b"{}") -> Bundle:
    owner = OutgoingMessage.of("t.nonces.s.x", {MSG_ID: claim}, msg_id.encode()) if claim else None
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
        assert await spool.put(bundle(str(number), body=body, claim=f"g{number}"))
    read = await spool.read()
    assert [kept.bundle.messages[0].body for kept in read] == bodies
    assert [kept.bundle for kept in read][3] == bundle("3", body=bodies[3], claim="g3")
    assert await spool.read(after=read[2].row) == read[3:]


async def test_an_id_is_kept_once(spool: Spool) -> None:
    assert [await spool.put(bundle("a")), await spool.put(bundle("a"))] == [True, False]
    assert (await spool.state()).depth == 1


DEEP = b'{"messages":' + b"[" * 100_000 + b"\n"
DAMAGE: dict[str, tuple[str, object]] = {
    "empty": ("content", b""),
    "no messages": ("content", b'{"messages":[],"guarded":false}\n'),
    "another JSON": ("content", b"{}\n"),
    "no object": ("content", b"[1]\n"),
    "too deep": ("content", DEEP),
    "text": ("content", "text"),
    "a number": ("content", 7),
    "cut off": (
        "content",
        b'{"guarded":false,"messages":[["t.callbacks.s",{"Nats-Msg-Id":"a"},9]]}\n',
    ),
    "another id": ("id", "z"),
    "an id that is a blob": ("id", b"a"),
    "a time that is none": ("spooled_at", "yesterday"),
    "another digest": ("digest", b"0" * 32),
    "no digest": ("digest", None),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_row_stays_and_holds_up_no_other(
    spool: Spool, path: Path, damage: str
) -> None:
    column, value = DAMAGE[damage]
    for msg_id in "abc":
        await spool.put(bundle(msg_id))
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE bundles SET {column} = ? WHERE id = 'a'", (value,))
    database.close()
    with capture_logs() as logs:
        assert [kept.bundle.id for kept in await spool.read(limit=1)] == ["b"]
        assert [kept.bundle.id for kept in await spool.read()] == ["b", "c"]
    assert [(line["event"], line["row"]) for line in logs] == [("spooled_row_unreadable", 1)]
    assert set(logs[0]) == {"event", "row", "spool", "log_level"}
    assert (await spool.state()).depth == 3
    assert {"b", "c"} <= await spool.ids()


async def test_any_flipped_bit_of_a_row_is_found(spool: Spool, path: Path) -> None:
    await spool.put(bundle("a", claim="n"))
    with sqlite3.connect(path) as database:
        (content,) = database.execute("SELECT content FROM bundles").fetchone()
        for position in range(len(content)):
            flipped = bytearray(content)
            flipped[position] ^= 1 << position % 8
            database.execute("UPDATE bundles SET content = ?", (bytes(flipped),))
            database.commit()
            assert await spool.read() == []
    database.close()


def damage_a_page(path: Path, holding: bytes) -> None:
    """Overwrite a page of one body alone, with its pointer to the next one."""
    data = bytearray(path.read_bytes())
    start = data.index(holding) // 4096 * 4096
    data[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(bytes(data))


async def test_a_page_that_is_damaged_costs_its_own_rows_alone(path: Path) -> None:
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    for msg_id in "abcde":
        await spool.put(bundle(msg_id, body=msg_id.encode() * 50_000))
    await spool.close()
    damage_a_page(path, b"c" * 4000)
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    found = [kept.bundle.id for kept in await spool.read()]
    assert found == list("abde")
    await spool.close()


def of_version_0_1(path: Path, msg_id: str, body: bytes) -> None:
    """A file as that version made it, with one row."""
    content = encode_bundle(Bundle([message(msg_id, body), message(f"{msg_id}.0")]))
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE bundles (row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " source TEXT NOT NULL, spooled_at REAL NOT NULL, guard_id TEXT, guard_owner BLOB,"
            " size_bytes INTEGER NOT NULL, content BLOB NOT NULL)"
        )
        database.execute(
            "INSERT INTO bundles VALUES (1, ?, 's', 1.5, NULL, NULL, 99, ?)", (msg_id, content)
        )
    database.close()


@pytest.mark.parametrize(("body", "read"), [(b"{}", 1), (b"{1", 0)])
async def test_a_row_of_version_0_1_is_checked_against_its_id(
    path: Path, body: bytes, read: int
) -> None:
    of_version_0_1(path, callback_id("s", b"{}"), body)
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    assert len(await spool.read()) == read
    assert await spool.put(bundle("new"))
    assert len(await spool.read()) == read + 1
    await spool.close()


def removed(path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def renamed(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replaced_by_an_empty_file(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    other.replace(path)


def replaced_by_another_spool(path: Path) -> None:
    other = path.with_name("other")
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE bundles (row INTEGER PRIMARY KEY)")
        database.execute("DROP TABLE bundles")
    database.close()
    other.replace(path)


@pytest.mark.parametrize(
    "hurt", [removed, renamed, replaced_by_an_empty_file, replaced_by_another_spool]
)
async def test_a_file_that_is_replaced_loses_nothing_that_was_put(
    path: Path, hurt: Callable[[Path], None]
) -> None:
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    await spool.put(bundle("before"))
    hurt(path)
    with capture_logs() as logs:
        assert await spool.put(bundle("after"))
    assert [line["event"] for line in logs] == ["spool_file_replaced"]
    await spool.close()
    again = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)  # what a restart finds
    assert {kept.bundle.id for kept in await again.read()} == {"before", "after"}
    await again.close()


@pytest.mark.parametrize("size", [0, 4096, 10_000])
async def test_a_truncated_spool_file_reports_nothing_as_kept(path: Path, size: int) -> None:
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    for number in range(50):
        await spool.put(bundle(f"before{number}", body=b"x" * 1000))
    await spool.close()
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    await spool.state()
    os.truncate(path, size)
    kept = False
    with contextlib.suppress(SpoolError):
        kept = await spool.put(bundle("after"))
    await spool.close()
    again = Spool(path, limit_bytes=LIMIT, put_timeout_s=10)
    found: set[str] = set()
    with contextlib.suppress(SpoolError):
        found = {kept.bundle.id for kept in await again.read(limit=100)}
    assert ("after" in found) or not kept
    await again.close()


async def test_a_duplicate_uses_up_its_own_signature_in_the_spool(spool: Spool) -> None:
    assert await spool.put(bundle("mine", claim="first"))
    assert not await spool.put(bundle("mine", claim="second"))
    with pytest.raises(NonceClaimedError):
        await spool.put(bundle("other", claim="second"))
    assert await spool.claims() == {"first": b"mine", "second": b"mine"}
    published = [kept.bundle for kept in await spool.read()]
    assert [one.messages[0].subject for one in published] == ["t.callbacks.s", "t.nonces.s.x"]


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
    await spool.put(bundle("mine", claim="nonce"))
    with pytest.raises(NonceClaimedError) as taken:
        await spool.put(bundle("other", claim="nonce"))
    assert taken.value.claimed_by == "mine"
    assert not await spool.put(bundle("mine", claim="nonce"))


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
    puts = [spool.put(bundle(str(n), body=body)) for n in range(MAX_WAITING_BYTES // 2_000_000)]
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


async def test_a_file_that_another_holds_for_too_long_is_an_error_in_time(path: Path) -> None:
    hasty, patient = (
        Spool(path, limit_bytes=LIMIT, put_timeout_s=timeout_s) for timeout_s in (0.1, 60)
    )
    for spool in (patient, hasty):
        await spool.put(bundle("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(patient.put(bundle("b")))
    with pytest.raises(SpoolError):
        await hasty.put(bundle("c"))
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    assert await waiting
    await hasty.close()
    await patient.close()


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


async def test_a_disk_that_hangs_does_not_hold_up_the_close(path: Path) -> None:
    spool = Spool(path, limit_bytes=LIMIT, put_timeout_s=0.01, busy_timeout_s=600)
    await spool.state()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SpoolError, match="too slow"):
            await spool.put(bundle("a"))
        with capture_logs() as logs:
            await spool.close(within_s=0.01)
        other.execute("ROLLBACK")
    assert [line["event"] for line in logs] == ["spool_not_closed"]
    with pytest.raises(SpoolError, match="is closed"):
        await spool.state()
