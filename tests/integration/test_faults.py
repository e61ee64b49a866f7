"""The fault harness finds a loss and a double, and its page says so; one real fault, made short."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bench.faults.__main__ import FAULTS
from bench.faults.judge import Verdict, ids_of, judge
from bench.faults.page import Row, page, row_of
from bench.faults.processes import frozen
from bench.faults.sender import Seen
from bench.faults.stage import Happened, under_load
from bench.faults.tree import Receiver

STORED = {msg_id: 1 for one in "abc" for msg_id in ids_of(one)}
KEPT = Row("receiver_killed", "2026-01-31", "here", pushed=9, answered=9, rate_per_s=200)


def test_all_that_was_answered_and_is_there_once_is_well() -> None:
    assert judge({"a", "b", "c"}, STORED) == Verdict(3, lost=0, twice=0, unasked=0)
    assert judge({"a", "b"}, STORED) == Verdict(2, lost=0, twice=0, unasked=1)


@pytest.mark.parametrize("msg_id", ids_of("b"))
def test_one_lost_message_is_found(msg_id: str) -> None:
    stored = {one: times for one, times in STORED.items() if one != msg_id}
    verdict = judge({"a", "b", "c"}, stored)
    assert (verdict.lost, verdict.twice, verdict.kept) == (1, 0, False)


@pytest.mark.parametrize("msg_id", ids_of("b"))
def test_one_doubled_message_is_found(msg_id: str) -> None:
    verdict = judge({"a", "c"}, {**STORED, msg_id: 2})
    assert (verdict.lost, verdict.twice, verdict.kept) == (0, 1, False)


def test_a_stored_forgery_is_found() -> None:
    verdict = judge({"a", "b"}, STORED, {"c", "d"})
    assert (verdict.forged, verdict.kept) == (1, False)
    assert judge({"a", "b", "c"}, STORED, {"d"}).kept


def test_an_event_without_its_raw_message_is_found() -> None:
    verdict = judge({"a", "b"}, {one: 1 for one in STORED if one != "c"})
    assert (verdict.orphans, verdict.kept) == (1, False)


def test_where_nothing_was_answered_nothing_was_shown() -> None:
    assert not judge(set(), {}).kept


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        (KEPT, False),
        (replace(KEPT, lost=1), True),
        (replace(KEPT, twice=1), True),
        (replace(KEPT, answered=0), True),
        (replace(KEPT, forgeries=9), False),
        (replace(KEPT, forged=1), True),
        (replace(KEPT, orphans=1), True),
        (replace(KEPT, connections=256), True),
        (replace(KEPT, connections=256, batched=9), False),
        (replace(KEPT, problem="failed: no answer"), True),
        (replace(KEPT, problem="skipped: needs root"), False),
        (replace(KEPT, control=True), True),
        (replace(KEPT, control=True, lost=5), False),
    ],
    ids=repr,
)
def test_what_ends_the_command_with_1(row: Row, *, broken: bool) -> None:
    assert row.broken is broken


def test_the_page_lists_each_fault_and_what_was_lost() -> None:
    rows = {
        "receiver_killed": replace(KEPT, lost=7),
        "power_lost_lazily": replace(KEPT, name="power_lost_lazily", control=True, lost=3),
        "disk_full": replace(KEPT, name="disk_full", problem="skipped: needs root"),
        "busy_disk_full": replace(KEPT, name="busy_disk_full", connections=256, batched=8),
    }
    faults, _, _ = page(FAULTS, rows).partition("## Handlers")
    lines = faults.splitlines()
    table = {line.split(" | ")[0].removeprefix("| "): line for line in lines if " | " in line}
    assert "| **7** |" in table["receiver `kill -9`, three times"]
    assert "| 3 (expected) |" in table["power lost, with the server's lazy default"]
    assert "skipped: needs root" in table["disk full for 10 s"]
    assert "| 256 connections | 9 | 9 | 8 |" in table["batches: disk full for 10 s"]
    assert "not run" in table["embedded NATS `kill -9`, three times"]
    assert len(table) == len(FAULTS) + 2  # with the head and the rule below it, twice the same
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@pytest.mark.serial
async def test_a_frozen_server_loses_nothing(tmp_path: Path) -> None:
    happened = await frozen(1, rate_per_s=50)(tmp_path)
    assert happened.verdict.kept
    assert happened.seen.spooled > 0
    assert happened.seen.given_up == 0
    assert row_of(FAULTS[0], happened).answered == happened.seen.pushed


@pytest.mark.serial
async def test_a_load_over_connections_is_stored_in_batches(tmp_path: Path) -> None:
    happened = await under_load(
        Receiver(tmp_path), lambda: asyncio.sleep(0), lasts_s=0, connections=32
    )
    assert happened.verdict.kept
    assert happened.batched > 0


def test_the_times_of_a_row_are_milliseconds() -> None:
    told = Seen(pushed=100, times_s=[0.001] * 99 + [0.5], answered={"a"})
    row = row_of(FAULTS[0], Happened(told, Verdict(1, 0, 0, 0), 200))
    assert (row.p99_ms, row.worst_ms, row.rate_per_s) == (500.0, 500.0, 200)
