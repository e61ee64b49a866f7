"""A file that is damaged says so, by line; what is whole of it is stored."""

from __future__ import annotations

import io
import resource
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError, YizhanError
from receiver.transfer.examination import examined
from receiver.transfer.file import ExportReader, ExportWriter
from receiver.transfer.line import Line, encode_line
from receiver.transfer.manifest import Manifest
from tests.operations.shelf import Shelf
from tests.transfer.moving import Place, now, opened_place

Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
async def place(nats_url: str, subjects: Subjects) -> AsyncIterator[Place]:
    async with opened_place(nats_url, subjects) as opened:
        yield opened


def changed(file: Path, change: Change, *, cut: int = 0) -> Path:
    """A copy of an export with other lines, each with its end; `cut` bytes are missing."""
    text = zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes())
    other = file.with_name(secrets.token_hex(4))
    packed = zstandard.compress(b"".join(change(text.splitlines(keepends=True))))
    other.write_bytes(packed[: len(packed) - cut])
    return other


async def damage_of(file: Path) -> tuple[str, list[str]]:
    with file.open("rb") as opened:
        reader = ExportReader(file.name, opened)
        _, report = await examined(reader)
        return reader.damage, report.problems


async def test_what_is_damaged_is_named_and_the_rest_is_stored(
    place: Place, nats_url: str, tmp_path: Path
) -> None:
    shelf = Shelf(place.publisher, place.subjects)
    for number in range(3):
        await shelf.push(f"1{number}")
    whole = tmp_path / "whole.zst"
    await place.export(whole)
    assert await damage_of(whole) == ("", [])

    cut = changed(whole, lambda lines: lines[:4])
    in_a_line = changed(whole, lambda lines: [*lines[:4], lines[4][:-20]])
    for file in (cut, in_a_line):
        assert await damage_of(file) == ("it is cut off behind line 4", [])
    foreign = changed(whole, lambda lines: [*lines[:2], b'{"a":1}\n', *lines[2:]])
    damage, problems = await damage_of(foreign)
    assert (damage, problems) == (
        "it holds 7 lines, and says 6",
        ["line 3: no line of an export: yizhan: missing"],
    )
    altered = changed(whole, lambda lines: [line.replace(b'"1688"', b'"1689"') for line in lines])
    assert (await damage_of(altered))[0].startswith("its SHA-256 is not the one")
    resized = changed(
        whole, lambda lines: [line.replace(b'"data":', b'"data": ') for line in lines]
    )
    assert "the line was changed" in (await damage_of(resized))[1][0]

    elsewhere = Subjects(f"t{secrets.token_hex(6)}")
    async with opened_place(nats_url, elsewhere) as there:
        report = await there.take(foreign)
        assert (report.numbers, report.failed) == ({"stored": 6, "foreign": 1}, 1)


async def test_a_line_that_no_server_takes_is_named_and_the_rest_is_stored(
    place: Place, nats_url: str, tmp_path: Path
) -> None:
    await Shelf(place.publisher, place.subjects).push("1")
    whole = tmp_path / "whole.zst"
    await place.export(whole)
    root, state = place.subjects.root, place.subjects.state("")
    large = bytes(place.connection.max_payload_bytes)
    subjects = (
        f"{root}.events.1688.order.created.9",
        f"{root}.schedules.retry.h.1688.9.e",
        f"{root}.runs.h.1688.9",
        f"{state}number.order_no.N1.1688.9",
    )
    lines = [
        encode_line(Line(place.subjects.stream, StoredMessage(subject, {}, large, 9, now())))
        for subject in subjects
    ]
    file = changed(whole, lambda there: [*there[:-1], *lines, there[-1]])
    elsewhere = Subjects(f"t{secrets.token_hex(6)}")
    async with opened_place(nats_url, elsewhere) as there:
        report = await there.take(file)
    assert report.numbers == {"stored": 2, "failed": 4}
    assert report.problems == [
        f"line {number}: refused: larger than the server's max_payload" for number in range(4, 8)
    ]


async def test_what_is_no_export_or_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    newer = b'{"yizhan_export":{"format":2,"new":true}}\n'
    for text, reason in ((newer, "format 2, and this version reads 1"), (b"{}\n", "is no export")):
        with pytest.raises(ConfigurationError, match=reason):
            ExportReader("f", io.BytesIO(zstandard.compress(text)))
    with pytest.raises(ConfigurationError, match="f: is no export"):
        ExportReader("f", io.BytesIO(b"plain text"))


def write(file: Path, lines: int, *, force: bool = False) -> None:
    manifest = Manifest(product="1", root="r", made_at=datetime.now(UTC), what=("events",))
    with ExportWriter(file, stdout=io.BytesIO(), force=force) as out:
        out.begin(manifest)
        for _ in range(lines):
            out.put("events", secrets.token_bytes(10_000).hex().encode() + b"\n")
        if not lines:
            raise KeyboardInterrupt
        out.finish()


def test_a_disk_that_is_full_and_an_interruption_leave_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "x.zst"
    write(file, 1)
    before = file.read_bytes()
    with pytest.raises(ConfigurationError, match="exists: name another file, or give --force"):
        write(file, 1)
    with pytest.raises(KeyboardInterrupt):
        write(file, 0, force=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(YizhanError, match="cannot be written: File too large"):
            write(file, 100, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == before
