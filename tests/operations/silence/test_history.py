"""The hours of a source on a real stream, and what the page of metrics makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.metrics_stream import MetricsStream
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.operations.look.archive import Archive
from receiver.operations.look.silence.history import Histories
from receiver.operations.look.silence.improbability import HOUR, IMPROBABLE, MAX_HOURS, floor_hour
from receiver.operations.metrics.log_figures import source_figures
from tests.operations.shelf import Shelf


async def test_hours_are_counted_once_and_outlive_what_the_stream_deletes(
    connection: Connection, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    archive, shelf = Archive(connection, subjects), Shelf(publisher, subjects)
    kept = MetricsStream(connection.client, subjects)
    await kept.ensure()
    now = datetime.now(UTC)
    before = {"first": (floor_hour(now) - 600 * HOUR).isoformat(), "counts": [9] * 600}
    await kept.put(subjects.metrics_history("shop"), before, 0)
    for number in range(1, 5):
        await shelf.push(str(number))
    await shelf.spoil("{not JSON")
    await Shelf(publisher, subjects, source="rare").push("1")

    removed = await source_figures(archive, ["rare"], now + 6 * HOUR)
    figures = await source_figures(archive, ["shop", "rare", "new"], now + 6 * HOUR)
    last = {"shop": now + 3 * HOUR, "rare": now + 3 * HOUR}
    counted = await Histories(archive, keeps=True).silences(last, now + 9 * HOUR)
    history = await kept.get(subjects.metrics_history("shop"))
    await call(connection.client, f"STREAM.PURGE.{subjects.stream}", {})
    again = await Histories(archive).silences(last, now + 9 * HOUR)

    name = "yizhan_source_silence_improbability"
    assert figures.gauges[name, "shop"] > IMPROBABLE
    assert (name, "rare") not in figures.gauges
    assert (name, "shop") not in removed.gauges
    never = {key[1]: n for key, n in figures.gauges.items() if key[0].endswith("never_sent")}
    assert never == {"shop": 0, "rare": 0, "new": 1}
    assert counted["shop"] is not None
    assert counted["rare"] is None
    assert history is not None
    assert len(history.document["counts"]) == 603
    assert history.document["counts"][:600] == [9] * 600
    assert sum(history.document["counts"][600:]) == 5
    assert again == counted


async def test_a_long_past_is_counted_in_several_looks(
    connection: Connection, subjects: Subjects, publisher: GroupCommitPublisher
) -> None:
    kept = MetricsStream(connection.client, subjects)
    await kept.ensure()
    await Shelf(publisher, subjects).push("1")
    archive, later = Archive(connection, subjects), datetime.now(UTC) + MAX_HOURS * HOUR
    await Histories(archive).silences({"shop": later}, later)
    assert await kept.get(subjects.metrics_history("shop")) is None
    looks = []
    for _ in range(3):
        await Histories(archive, keeps=True).silences({"shop": later}, later, at_once=300)
        found = await kept.get(subjects.metrics_history("shop"))
        assert found is not None
        looks.append(found.document["counts"])
    assert [len(counts) for counts in looks] == [300, 600, MAX_HOURS]
    assert [sum(counts) for counts in looks] == [1, 1, 1]
