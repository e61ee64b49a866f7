"""Everything that is stored goes into a file and comes out of it elsewhere, once."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects
from receiver.transfer.line import Line, decode_line, encode_line
from tests.operations.shelf import Shelf
from tests.transfer.moving import Place, opened_place


@pytest.fixture
async def here(nats_url: str, subjects: Subjects) -> AsyncIterator[Place]:
    async with opened_place(nats_url, subjects) as place:
        yield place


@pytest.fixture
async def there(nats_url: str) -> AsyncIterator[Place]:
    async with opened_place(nats_url, Subjects(f"t{secrets.token_hex(6)}")) as place:
        yield place


def same(stored: StoredMessage) -> tuple[str, dict[str, str], bytes]:
    """What an import leaves as it is."""
    ours = ("Nats-Batch", "yizhan-storedat", "yizhan-importedfrom")
    headers = {n: text for n, text in stored.headers.items() if not n.startswith(ours)}
    return stored.nats_subject.partition(".")[2], headers, stored.body


async def test_events_and_callbacks_come_out_as_they_went_in_and_only_once(
    here: Place, there: Place, tmp_path: Path
) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    for number in range(40):
        await shelf.push(f"1{number}")
    await shelf.spoil("not json \n\x00 订单")
    file = tmp_path / "all.zst"
    assert await here.export(file) == {"callbacks": 40, "events": 40, "quarantine": 1}
    assert file.stat().st_mode & 0o777 == 0o600

    first = await there.take(file)
    assert first.numbers == {"stored": 81}
    before = await here.holds(here.subjects.stream)
    after = await there.holds(there.subjects.stream)
    assert list(map(same, after)) == list(map(same, before))
    assert after[0].headers["yizhan-storedat"] == before[0].stored_at.isoformat()

    assert (await there.take(file)).numbers == {"already there": 81}
    assert len(await there.holds(there.subjects.stream)) == 81


async def test_a_line_holds_a_message_byte_for_byte(here: Place) -> None:
    shelf = Shelf(here.publisher, here.subjects)
    await shelf.push("订单 1")
    await shelf.spoil("{\n}")
    stored = await here.holds(here.subjects.stream)
    for message in stored:
        line = Line(here.subjects.stream, message)
        assert decode_line(encode_line(line)[:-1]) == line
