"""What processes report adds up, through kills, restarts and suspensions, on a real stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.metric_reports import MetricReporter
from receiver.bus.metric_totals import Counted, fold, read_counted
from receiver.bus.metrics_stream import MetricsStream
from receiver.bus.subjects import Subjects
from receiver.observability.figures import Figures, read_figures
from receiver.testing import eventually

NAME = "yizhan_callbacks"
DEAD = timedelta(0)


class Process:
    """A process that counts, and reports on demand."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.figures = Figures()
        self.reporter = MetricReporter(
            connection, subjects, "receiver", self._read, sleep=self._sleep
        )
        self._asked = 0

    async def _read(self) -> Figures:
        return self.figures

    async def _sleep(self, _: float) -> None:
        raise AssertionError("it reports once")

    async def count(self, by: int) -> None:
        self.figures.count(NAME, "shop", "stored", by=by)
        self.figures.observe("yizhan_ack_seconds", "shop", value=0.3)
        await self.reporter.report()


@pytest.fixture
async def stream(connection: Connection, subjects: Subjects) -> MetricsStream:
    made = MetricsStream(connection.client, subjects)
    await made.ensure()
    return made


def counted(found: Counted) -> float:
    figures, _ = found.sum(datetime.now(UTC))
    buckets = figures.histograms.get(("yizhan_ack_seconds", "shop"), [0.0])
    assert sum(buckets[:-1]) * 3 == pytest.approx(buckets[-1] * 10)
    return figures.counters.get((NAME, "shop", "stored"), 0)


async def test_what_is_counted_survives_processes(
    stream: MetricsStream, connection: Connection, subjects: Subjects
) -> None:
    async def read() -> Counted:
        return await read_counted(stream, subjects)

    one, other, suspended = (Process(connection, subjects) for _ in range(3))
    for process, by in ((one, 3), (other, 5), (suspended, 7), (one, 2)):
        await process.count(by)
    before = await read()
    stale = await read()
    added = await fold(stream, subjects, before, datetime.now(UTC), dead=DEAD)
    again = await fold(stream, subjects, stale, datetime.now(UTC), dead=DEAD)
    after = await read()
    await suspended.count(11)
    woken = await read()

    assert (counted(before), len(before.lives)) == (17, 3)
    assert (added, again) == (3, 0)
    assert (counted(after), len(after.lives)) == (17, 0)
    assert (counted(woken), len(woken.lives)) == (28, 1)


async def test_a_report_that_was_added_and_not_deleted_counts_once(
    stream: MetricsStream, connection: Connection, subjects: Subjects
) -> None:
    process = Process(connection, subjects)
    await process.count(4)
    found = await read_counted(stream, subjects)
    total = {
        "figures": found.lives[0].figures.document(),
        "added": {found.lives[0].name: datetime.now(UTC).isoformat()},
    }
    await stream.put(subjects.metrics_total, total, 0)
    assert counted(await read_counted(stream, subjects)) == 4
    found = await read_counted(stream, subjects)
    assert await fold(stream, subjects, found, datetime.now(UTC), dead=DEAD) == 0
    left = await read_counted(stream, subjects)
    assert (counted(left), left.lives) == (4, [])


async def test_a_report_whose_answer_was_lost_is_not_counted_twice(
    stream: MetricsStream, connection: Connection, subjects: Subjects
) -> None:
    process = Process(connection, subjects)
    await process.count(4)
    (life,) = (await read_counted(stream, subjects)).lives
    later = {**life.kept.document, "figures": process.figures.document()}
    await stream.put(life.subject, later, life.kept.seq)
    await process.count(1)
    assert counted(await read_counted(stream, subjects)) == 5


async def test_a_process_reports_by_itself_and_at_its_end(
    stream: MetricsStream, connection: Connection, subjects: Subjects
) -> None:
    figures = Figures()

    async def read() -> Figures:
        return figures

    reporter = MetricReporter(connection, subjects, "handlers", read)
    await reporter.start()

    async def reported() -> bool:
        return len(await stream.lives()) == 1

    await eventually(reported, within_s=60)
    figures.count(NAME, "shop", "stored")
    await reporter.stop()
    found = await read_counted(stream, subjects)
    assert (counted(found), found.lives[0].ended) == (1, True)
    assert found.sum(datetime.now(UTC))[1] == {"handlers": 0}


def test_figures_of_another_version_are_left_out() -> None:
    known = Figures()
    known.count(NAME, "shop", "stored", by=2)
    document = known.document()
    document["counters"].append([["yizhan_later", "x"], 1])
    document["counters"].append([[NAME, "with", "another", "label"], 1])
    assert read_figures(document).counters == known.counters
    with pytest.raises(ValueError, match="no figures"):
        read_figures({})


async def test_a_stream_that_is_deleted_is_made_again(
    stream: MetricsStream, connection: Connection, subjects: Subjects
) -> None:
    process = Process(connection, subjects)
    await process.count(4)
    await call(connection.client, f"STREAM.DELETE.{subjects.metrics_stream}", {})
    with pytest.raises(Exception, match="not stored"):
        await process.count(1)
    await process.count(1)
    assert counted(await read_counted(stream, subjects)) == 2
