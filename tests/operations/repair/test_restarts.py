"""Dead letters are given back over a restart of the server: none lost, none twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.read.selection import StreamSelection
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.tally import Tally
from tests.bus.cluster import free_ports
from tests.operations.repair.test_letters import letter

COUNT = 200


async def test_a_restart_in_the_middle_of_a_retry_loses_nothing(tmp_path: Path) -> None:
    subjects, (port,) = Subjects(), free_ports(1)
    config = EmbeddedServerConfig(data_dir=tmp_path, port=port, sync_always=False)
    first, second = EmbeddedServer(config), EmbeddedServer(config)
    await first.start()
    connection = Connection(first.url, plans(subjects, [timedelta(hours=2)]))
    assert await connection.start(patience_s=60)
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    await publisher.publish([letter(subjects, str(n), n) for n in range(1, COUNT + 1)])
    letters, tally = Letters(connection, subjects), Tally()
    begun = asyncio.Event()

    def progress(_: int) -> None:
        begun.set()

    chosen = await letters.chosen(Filters())
    acts = LetterActs(letters, publisher, patience_s=60)
    retrying = asyncio.create_task(acts.retry(chosen, tally, progress))
    await begun.wait()
    await first.stop()
    await second.start()
    await retrying
    due = StreamSelection(subjects.stream, [subjects.all_due("ship")])
    found = [stored.headers["ce-id"] async for stored in letters.reader.read(due)]
    left = await letters.chosen(Filters())
    await publisher.stop()
    await connection.stop()
    await second.stop()
    assert tally.numbers == {"retried": COUNT}
    assert len(found) == len(set(found)) == COUNT
    assert left == []
