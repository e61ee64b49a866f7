"""How everything stands, and what the verdict rests on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.subjects import Subjects
from receiver.errors import SpoolError
from receiver.event import Event
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.room import disk_document, stream_document
from receiver.operations.look.status import Place, status, status_without_nats
from receiver.operations.look.verdict import verdict
from receiver.spool.file import SpoolState
from receiver.testing import eventually
from receiver.worker.effects.failures import InDoubtError
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import PaymentSucceeded
from tests.operations.shelf import Shelf
from tests.operations.test_look import completing, failing
from tests.worker.conftest import Bench, bench

__all__ = ["bench"]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GIB = 1024**3


async def _empty_spool() -> SpoolState:
    return SpoolState(0, 0.0, 0)


async def _broken_spool() -> SpoolState:
    raise SpoolError("the spool is no database")


@pytest.fixture
def place(connection: Connection, subjects: Subjects) -> Place:
    kept = timedelta(days=90)
    return Place(
        Archive(connection, subjects),
        HandlerOperations(connection, subjects, [*completing().handlers], kept=kept),
        sources=["shop", "new"],
        spool=_empty_spool,
    )


def doubting() -> Router:
    router = Router()

    @router.on(PaymentSucceeded, start="all")
    async def doubt(event: Event[PaymentSucceeded], ctx: Context) -> None:
        raise InDoubtError("book", "effect.doubt.1.book", "TimeoutError")

    return router


async def test_everything_is_counted(
    place: Place, publisher: GroupCommitPublisher, subjects: Subjects, bench: Bench
) -> None:
    shelf = Shelf(publisher, subjects)
    for number in range(1, 13):
        await shelf.push(str(number))
    await shelf.spoil("{not JSON")
    await Shelf(publisher, subjects, source="old").push("1")
    await bench.work(failing(), doubting())
    await eventually(lambda: _letters(bench), within_s=60)
    document = await status(place, datetime.now(UTC))

    sources = {one["source"]: one for one in document["sources"]}
    assert list(sources) == ["shop", "new", "old"]
    assert (sources["shop"]["callbacks"], sources["shop"]["quarantined"]) == (13, 1)
    assert (sources["shop"]["is_silent"], sources["shop"]["configured"]) == (False, True)
    assert (sources["new"]["last_at"], sources["new"]["callbacks"]) == (None, 0)
    assert sources["old"]["configured"] is False
    streams = {one["stream"]: one for one in document["streams"]}
    ours = {subjects.stream, subjects.dead_stream, subjects.runs_stream, subjects.state_stream}
    assert set(streams) == ours
    assert streams[subjects.dead_stream]["messages"] == 26
    assert [one["handler"] for one in document["handlers"]] == ["complete", "doubt", "fail"]
    letters = {"count": 26, "causes": 2, "last_day": 26, "in_doubt": 13}
    none = dict.fromkeys(letters, 0)
    whose = ["doubt", "fail"]
    assert document["dead_letters"] == {**letters, "snoozed": none, "handlers": whose}
    assert document["spool"]["callbacks"] == 0
    assert document["missing"] == []
    assert document["verdict"]["concerns"] == [
        "1 callbacks of shop in quarantine in a day",
        "26 dead letters of 2 causes, 26 of the last day, 13 of effects in doubt",
    ]


async def _letters(bench: Bench) -> bool:
    return len(await bench.dead()) == 26


async def test_a_source_is_silent_where_callbacks_came_in_the_same_stretch_before(
    place: Place, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    busy, calm = Shelf(publisher, subjects), Shelf(publisher, subjects, source="calm")
    for number in range(1, 11):
        await busy.push(str(number))
    await calm.push("1")
    document = await status(place, datetime.now(UTC) + DAY)
    sources = {one["source"]: one for one in document["sources"]}
    assert (sources["shop"]["usual"], sources["shop"]["is_silent"]) == (10, True)
    assert (sources["calm"]["usual"], sources["calm"]["is_silent"]) == (1, False)
    assert "source shop is silent for 1 d" in document["verdict"]["sentence"]


async def test_what_cannot_be_read_is_said_and_the_rest_is_shown(
    place: Place, publisher: GroupCommitPublisher, subjects: Subjects
) -> None:
    await Shelf(publisher, subjects).push("1")
    broken = Place(place.archive, place.handlers, place.sources, _broken_spool)
    document = await status(broken, datetime.now(UTC), unknown=["handlers: none is loaded"])
    assert document["spool"] is None
    assert document["sources"][0]["callbacks"] == 1
    assert document["missing"] == ["handlers: none is loaded", "spool: the spool is no database"]
    assert document["verdict"]["well"] is False

    away = await status_without_nats(_broken_spool, "NATS is away", NOW)
    assert away["verdict"]["sentence"] == (
        "NATS is away; spool: the spool is no database; the spool is unknown"
    )


CALM: dict[str, Any] = {
    "at": NOW.isoformat(),
    "missing": [],
    "sources": [
        {
            "source": "shop",
            "silent_s": 5.0,
            "is_silent": False,
            "is_refused": False,
            "silence": None,
            "usual": None,
            "quarantined_day": 0,
        }
    ],
    "streams": [{"stream": "Y", "bytes": 10, "max_bytes": 1000, "full_at": None}],
    "disk": {"free_bytes": 9, "bytes_a_day": 1, "full_at": None},
    "handlers": [
        {
            "handler": "h",
            "oldest": {"age_s": 3.0},
            "paused": None,
            "pulled": True,
            "pending": 2,
            "waiting": 1,
        }
    ],
    "dead_letters": {"count": 0, "causes": 0, "last_day": 0, "in_doubt": 0},
    "spool": {"callbacks": 3, "oldest_age_s": 2.0},
}


def test_calm_is_one_sentence() -> None:
    assert verdict(CALM) == {
        "well": True,
        "sentence": "all is well: the last callback came 5 s ago, 3 events wait for handlers",
        "concerns": [],
    }
    nothing = CALM | {"sources": [], "handlers": []}
    assert verdict(nothing)["sentence"] == "all is well: no callback is stored yet"


def _late(document: dict[str, Any], **more: Any) -> None:
    document["handlers"][0] |= {"oldest": {"age_s": 700.0}} | more


WORRIES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d["spool"].update(oldest_age_s=90.0), "3 callbacks wait in the spool, the oldest"),
    (lambda d: d["sources"][0].update(is_silent=True, usual=40), "source shop is silent for 5 s"),
    (
        lambda d: d["sources"][0].update(is_silent=True, silence={"expected": 41.6}),
        "source shop is silent for 5 s, in which 42 callbacks usually come",
    ),
    (lambda d: d["sources"][0].update(is_refused=True), "all that comes of shop is refused"),
    (lambda d: d["sources"][0].update(quarantined_day=2), "2 callbacks of shop in quarantine"),
    (_late, "handler h is 11 min behind, with 3 events waiting"),
    (lambda d: _late(d, pulled=False), "no process runs handler h: 2 events wait"),
    (
        lambda d: d["handlers"][0].update(paused={"reason": "stock", "oldest_expires_first": True}),
        "handler h is paused: stock, and its oldest event expires before",
    ),
    (lambda d: d["dead_letters"].update(count=4, causes=2), "4 dead letters of 2 causes"),
    (lambda d: d["dead_letters"].update(count=4, in_doubt=3), ", 3 of effects in doubt"),
    (lambda d: d["streams"][0].update(bytes=950), "stream Y has reached 95% of its bytes"),
    (
        lambda d: d["streams"][0].update(full_at=(NOW + 2 * DAY).isoformat()),
        "stream Y is full in 2 d",
    ),
    (
        lambda d: d["disk"].update(full_at=(NOW + 3 * DAY).isoformat()),
        "the disk of the streams is full in 3 d",
    ),
    (lambda d: d["missing"].append("spool: gone"), "unknown: spool: gone"),
]


@pytest.mark.parametrize(("change", "said"), WORRIES, ids=[said for _, said in WORRIES])
def test_a_concern_is_named(change: Callable[[dict[str, Any]], object], said: str) -> None:
    document = copy.deepcopy(CALM)
    change(document)
    found = verdict(document)
    assert (found["well"], len(found["concerns"])) == (False, 1)
    assert found["sentence"].startswith("one thing to look at: ")
    assert said in found["sentence"]


def info(messages: int, size: int, *, days: float, max_age: int = 90, bound: int = -1) -> Any:
    first = (NOW - days * DAY).isoformat()
    return {
        "config": {
            "name": "Y",
            "max_age": max_age * 86_400 * 1_000_000_000,
            "max_bytes": bound,
        },
        "state": {
            "messages": messages,
            "bytes": size,
            "first_ts": first,
            "last_seq": messages,
            "last_ts": NOW.isoformat(),
        },
    }


@pytest.mark.parametrize(
    ("given", "lately", "free", "rate", "full_in"),
    [
        (info(100, GIB, days=10, bound=2 * GIB), 10, None, GIB // 10, 10),
        (info(100, GIB, days=10), 10, GIB, GIB // 10, 10),
        (info(100, GIB, days=0.5), 100, 2 * GIB, 2 * GIB, 1),
        (info(100, GIB, days=10, max_age=12, bound=2 * GIB), 10, None, GIB // 10, None),
        (info(100, GIB, days=10), 10, None, GIB // 10, None),
        (info(100, GIB, days=10), 0, GIB, 0, None),
        (info(100, GIB, days=0.01), 100, GIB, None, None),
        (info(0, 0, days=0), 0, GIB, None, None),
    ],
    ids=["bytes", "disk", "young", "age first", "no bound", "still", "no rate yet", "empty"],
)
def test_a_stream_is_full_when_its_growth_reaches_a_bound(
    given: Any, lately: int, free: int | None, rate: int | None, full_in: int | None
) -> None:
    document = stream_document(given, lately, free, NOW)
    assert document["bytes_a_day"] == rate
    expected = (NOW + full_in * DAY).isoformat() if full_in is not None else None
    assert document["full_at"] == expected


@pytest.mark.parametrize(
    ("streams", "free", "full_in"),
    [
        ([(1, None, None), (1, None, None)], 20, 10),
        ([(1, 5, None), (1, None, None)], 20, 15),
        ([(1, None, 5), (1, None, None)], 20, 15),
        ([(1, 5, None), (2, None, 4)], 20, None),
        ([(None, None, None)], 20, None),
    ],
    ids=["together", "one is bounded", "one is old", "all end", "no rate yet"],
)
def test_a_disk_is_full_when_its_streams_have_grown_by_what_is_free(
    streams: list[tuple[int | None, int | None, int | None]], free: int, full_in: int | None
) -> None:
    """Each by its bytes a day, and after how many days its bytes or its age hold it where it is."""
    documents = [
        {
            "bytes": GIB,
            "bytes_a_day": rate and rate * GIB,
            "max_bytes": days and GIB + (rate or 0) * days * GIB,
            "max_age_s": aged and (aged + 1 / (rate or 1)) * DAY.total_seconds(),
        }
        for rate, days, aged in streams
    ]
    found = disk_document(documents, free * GIB, NOW)
    assert found is not None
    assert found["full_at"] == ((NOW + full_in * DAY).isoformat() if full_in else None)
    assert (found["bytes_a_day"] is None) == all(rate is None for rate, _, _ in streams)
    assert disk_document(documents, None, NOW) is None
