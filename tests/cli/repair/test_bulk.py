"""An act on many messages that is cut off, and one that two operators do at once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.read.reader import Reader
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.cli import desk as speaking
from receiver.cli.repair import bulk
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.audit_trail import AuditTrail
from receiver.operations.repair.bulk_act import BulkAct
from receiver.operations.repair.letter_acts import LetterActs
from receiver.operations.repair.letters import Letters
from receiver.operations.repair.tally import Tally
from tests.cli.test_handlers import Desk
from tests.operations.repair.test_letters import letter

COUNT = 200


async def test_where_nats_stays_away_it_is_said_what_was_done_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects = Subjects()
    server = EmbeddedServer(EmbeddedServerConfig(data_dir=tmp_path, port=0, sync_always=False))
    await server.start()
    connection = Connection(server.url, plans(subjects, [timedelta(hours=2)]))
    assert await connection.start(patience_s=60)
    publisher = GroupCommitPublisher(connection, timeout_s=10)
    await publisher.publish([letter(subjects, str(n), n) for n in range(1, COUNT + 1)])
    letters, tally, begun = Letters(connection, subjects), Tally(), asyncio.Event()
    letters.reader = Reader(connection, patience_s=0)
    chosen = await letters.chosen(Filters())
    retry = LetterActs(letters, publisher, patience_s=0).retry
    desk = speaking.Desk(yes=True, as_json=True)
    act = BulkAct(
        trail=AuditTrail(connection, subjects, "ann"),
        verb="dead-retry",
        done={"retried"},
        words={},
    )
    acting = partial(retry, chosen, tally, lambda _: begun.set())
    running = asyncio.create_task(bulk.run_act(desk, act, COUNT, tally, acting))
    await begun.wait()
    await server.stop()
    code = await running
    await publisher.stop()
    await connection.stop()

    out = capsys.readouterr().out  # among the lines of the log
    document, _ = json.JSONDecoder().raw_decode(out, out.index("{\n"))
    numbers = document["numbers"]
    assert (code, document["outcome"]) == (3, "partly")
    assert numbers["retried"] > 0
    assert numbers["retried"] + numbers["left"] == COUNT
    (reason,) = document["reasons"]
    assert reason.endswith(": give the same command again to go on with what is left")


async def test_of_two_operators_who_retry_one_letter_at_once_one_is_refused(desk: Desk) -> None:
    await desk.handlers()
    await desk.store("presale-1")
    await desk.work()
    words = ("dead", "retry", "#1", "--yes")
    both = await asyncio.gather(*(desk.run(*words, "--by", name) for name in ("ann", "bob")))

    won, lost = sorted(both, key=lambda ended: ended.code)
    assert (won.code, "1 retried" in won.out) == (0, True)
    late = "holds no such letter (any more)" in lost.err
    assert (lost.code, late or "1 already done by another" in lost.out) == (1, True)
    due = await desk.client.jetstream().stream_info(desk.subjects.stream)
    assert due.state.messages == 2
