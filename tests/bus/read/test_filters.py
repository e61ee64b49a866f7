"""Filters are checked as they are given, and become subjects, times and tests of headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from receiver.bus.read import selection
from receiver.bus.read.filters import MAX_LIMIT, Filters
from receiver.bus.read.selection import HeaderTest, StreamSelection
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError

SUBJECTS = Subjects("y")
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FACT = "0" * 32
CAUSE = "0123456789ab"

Select = Callable[[Filters, Subjects], StreamSelection]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"event_type": "payment.suceeded"}, "did you mean payment.succeeded?"),
        ({"event_type": "paiment"}, "did you mean payment?"),
        ({"event_type": "zzz"}, "there are: order.created"),
        ({"channel": "taboao"}, "did you mean taobao?"),
        ({"channel": "1689"}, "did you mean 1688?"),
        ({"origin": "handlers"}, "did you mean handler?"),
        ({"source": "a.b"}, "is no name of a source"),
        ({"handler": "*"}, "is no name of a handler"),
        ({"order_id": "1" * 129}, "at most 128 characters"),
        ({"order_id": " "}, "order: is empty"),
        ({"event_type": ""}, "type: is empty"),
        ({"fact_id": "12ab"}, "32 hexadecimal digits"),
        ({"cause": "not a name"}, "12 hexadecimal digits"),
        ({"limit": 0}, f"from 1 to {MAX_LIMIT}"),
        ({"limit": MAX_LIMIT + 1}, f"from 1 to {MAX_LIMIT}"),
        ({"since": NOW, "until": NOW}, "is not after"),
    ],
)
def test_a_filter_that_cannot_be_says_what_to_write(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Filters(**given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("select", "given", "subjects"),
    [
        (selection.events, {}, ["y.events.*.*.*.*"]),
        (selection.events, {"event_type": "payment"}, ["y.events.*.payment.*.*"]),
        (
            selection.events,
            {"event_type": "order.closed", "channel": "1688", "order_id": "a.b"},
            ["y.events.1688.order.closed.a%2Eb"],
        ),
        (selection.callbacks, {}, ["y.callbacks.*"]),
        (selection.callbacks, {"source": "shop"}, ["y.callbacks.shop"]),
        (selection.quarantine, {"source": "shop"}, ["y.quarantine.shop"]),
        (selection.runs, {"order_id": "7"}, ["y.runs.*.*.7"]),
        (selection.runs, {"handler": "h", "channel": "1688"}, ["y.runs.h.1688.*"]),
        (selection.letters, {"handler": "h"}, ["y.dead.h", "y.dead.h.*"]),
        (selection.letters, {"cause": CAUSE}, [f"y.dead.*.{CAUSE}"]),
        (selection.letters, {"cause": "ValueError"}, ["y.dead.*", "y.dead.*.*"]),
    ],
)
def test_what_subjects_hold_is_left_to_the_server(
    select: Select, given: dict[str, Any], subjects: list[str]
) -> None:
    selected = select(Filters(**given), SUBJECTS)
    assert list(selected.nats_subjects) == subjects


def test_times_and_the_limit_go_with_any_selection() -> None:
    filters = Filters(since=NOW - timedelta(hours=1), until=NOW, limit=3)
    selected = selection.letters(filters, SUBJECTS)
    assert (selected.stream, selected.limit) == ("Y_DEAD", 3)
    assert (selected.span.since, selected.span.until) == (filters.since, NOW)


@pytest.mark.parametrize(
    ("select", "given", "headers"),
    [
        (selection.events, {"source": "shop"}, {"ce-source": "/sources/shop"}),
        (selection.events, {"fact_id": FACT}, {"ce-factid": FACT}),
        (selection.events, {"origin": "sweep"}, {"ce-origin": "sweep"}),
        (selection.letters, {"event_type": "order"}, {"ce-type": "yizhan.order.closed.v2"}),
        (selection.letters, {"order_id": "单 1"}, {"ce-subject": "%E5%8D%95%201"}),
        (selection.letters, {"cause": "KeyError"}, {"yizhan-reason": "KeyError:%20'a'"}),
    ],
)
def test_what_subjects_do_not_hold_is_compared_with_headers(
    select: Select, given: dict[str, Any], headers: dict[str, str]
) -> None:
    tests = select(Filters(**given), SUBJECTS).tests
    assert [test.holds(headers) for test in tests] == [True]
    assert [test.holds({}) for test in tests] == [False]


def test_an_event_without_origin_was_pushed() -> None:
    (test,) = selection.events(Filters(origin="push"), SUBJECTS).tests
    assert test == HeaderTest("ce-origin", "push", default="push")
    assert test.holds({})


@pytest.mark.parametrize(
    ("select", "given", "said"),
    [
        (selection.events, {"handler": "h"}, "handler: selects no events"),
        (selection.events, {"cause": CAUSE}, "cause: selects no events"),
        (selection.callbacks, {"order_id": "1"}, "order: selects no callbacks"),
        (selection.quarantine, {"fact_id": FACT}, "fact: selects no quarantined callbacks"),
        (selection.runs, {"event_type": "order"}, "type: selects no runs"),
    ],
)
def test_a_filter_that_means_nothing_there_is_refused(
    select: Select, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        select(Filters(**given), SUBJECTS)
    assert said in str(caught.value)


def test_types_are_narrowed_to_those_of_interest() -> None:
    among = ("order.created", "payment.succeeded", "order.created")
    filters = Filters(event_type="order")
    selected = selection.events(filters, SUBJECTS, among)
    assert list(selected.nats_subjects) == ["y.events.*.order.created.*"]
    with pytest.raises(ConfigurationError, match="is not taken there"):
        selection.events(Filters(event_type="logistics"), SUBJECTS, among)


def test_the_nats_command_quotes_what_a_shell_would_expand() -> None:
    selected = selection.events(Filters(order_id="7", since=NOW), SUBJECTS)
    now = NOW + timedelta(hours=2)
    assert selected.nats_commands(now) == [
        "nats stream view Y --subject='y.events.*.*.*.7' --since=7200s"
    ]
