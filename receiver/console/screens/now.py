"""Now: one verdict, and five rows that it rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.cause_pages import page_of
from receiver.console.desk import Desk
from receiver.console.handler_state import Tone, numbers, state_words, tone_of
from receiver.console.rendering import query, segment, size
from receiver.console.screen import Asked, Screen
from receiver.console.source_state import source_tone, source_words
from receiver.errors import BusError
from receiver.operations.look.causes import causes, headline, sentence
from receiver.operations.look.documents import moment
from receiver.operations.look.verdict import awake, concerns, in_words

_REFUSED: Final = ("unauthorized", "refused", "quarantined", "unavailable", "failed", "gone")
"""The answers after which a callback was not stored as events."""


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a row: what it is about, what there is to say, and where more of it is."""

    label: str
    text: str
    tone: Tone = "well"
    at: datetime | None = None
    page: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wrong, what to do first, and the page for it. An alert `fires` once its condition has
    lasted.
    """

    sentence: str
    severity: str
    alert: str
    fires: bool
    since: datetime | None
    action: str
    details: tuple[str, ...]
    page: str


@dataclass(frozen=True, slots=True)
class Row:
    """One of the five: its own sentence, and its lines."""

    name: str
    sentence: str
    tone: Tone
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class NowView:
    """How everything stands `at` a time. `verdict` is one sentence that names every cause, the
    gravest first; `headline` names that one and how many more there are. `concerns` are the parts
    of the sentence of `yizhan status`.
    """

    title: str
    command: str
    at: datetime
    well: bool
    headline: str
    verdict: str
    causes: tuple[Standing, ...]
    concerns: tuple[str, ...]
    rows: tuple[Row, ...]


async def read(desk: Desk, asked: Asked) -> NowView:
    """The status as the shell shows it, and what the processes count, where that can be read."""
    status, counted = await asyncio.gather(desk.status(), _counted(desk))
    return view(status, counted, asked.now)


async def _counted(desk: Desk) -> Mapping[str, Any] | None:
    try:
        return await desk.counted()
    except BusError:
        return None


def view(status: Mapping[str, Any], counted: Mapping[str, Any] | None, now: datetime) -> NowView:
    """The page of a status."""
    found = causes(_alerts(counted, status["dead_letters"]), concerns(status))
    if counted and any(one.startswith("processes:") for one in counted["missing"]):
        counted = None
    return NowView(
        title="Now",
        command="yizhan status",
        at=moment(status["at"]) or now,
        well=not found,
        headline=headline(found) if found else "All is well",
        verdict=sentence(found) if found else status["verdict"]["sentence"],
        causes=tuple(
            Standing(
                one.sentence,
                one.severity,
                one.alert,
                one.fires,
                one.since,
                one.action,
                one.details,
                page_of(one),
            )
            for one in found
        ),
        concerns=tuple(status["verdict"]["concerns"]),
        rows=_rows(status, counted),
    )


def _alerts(
    counted: Mapping[str, Any] | None, letters: Mapping[str, Any] | None
) -> Iterator[Mapping[str, Any]]:
    """Those that hold, but for handlers whose letters are all snoozed or gone: that alert counts
    what was given up in an hour, whatever became of it.
    """
    for one in counted["alerts"] if counted else ():
        of_letters = one["alert"] == "YizhanDeadLetters"
        if letters is None or not of_letters or one["labels"]["handler"] in letters["handlers"]:
            yield one


def _rows(status: Mapping[str, Any], counted: Mapping[str, Any] | None) -> tuple[Row, ...]:
    return (
        _row("Coming in", _sources(status), "no source is known", _calm_sources(status)),
        _row(
            "How the platform sees us",
            _platform(counted),
            "no receiver has reported yet",
            "every 200 within the second, and no retry provoked",
        ),
        _row(
            "Handlers",
            _handlers(status["handlers"]),
            "no handler has run here",
            f"{len(status['handlers'] or ()):,} handlers keep up",
        ),
        _row("Letters & doubt", _letters(status["dead_letters"]), "unknown", "none"),
        _row(
            "The platform's API",
            _api(counted),
            "no call was made",
            "it answers, no call failed",
        ),
    )


def _row(name: str, lines: Iterator[Line], nothing: str, calm: str) -> Row:
    found = tuple(lines)
    worst: Tone = "well" if found else "unknown"
    for tone in ("unknown", "look", "bad"):
        if any(line.tone == tone for line in found):
            worst = tone
    grave = [line for line in found if line.tone == worst]
    if worst == "well":
        sentence = calm
    else:
        sentence = "; ".join(f"{line.label}: {line.text}" for line in grave[:2]) or nothing
    return Row(name, sentence, worst, found)


def _calm_sources(status: Mapping[str, Any]) -> str:
    rates = (status["rates"] or {}).values()
    ages = [one["silent_s"] for one in status["sources"] or () if one["silent_s"] is not None]
    if not ages:
        return "nothing has come yet"
    lately = sum(rate["hour"] for rate in rates)
    return f"the last callback {in_words(min(ages))} ago, {lately:,} in the last hour"


def _sources(status: Mapping[str, Any]) -> Iterator[Line]:
    rates = status["rates"] or {}
    for source in status["sources"] or ():
        name = source["source"]
        yield Line(
            name,
            ", ".join(source_words(source, rates.get(name))),
            source_tone(source),
            moment(source["last_at"]),
            f"/sources/{segment(name)}",
        )
    if spool := status["spool"]:
        waits = spool["callbacks"]
        text = "the spool is empty"
        if waits:
            text = (
                f"{waits:,} callbacks ({size(spool['bytes'])}) wait in the spool, the oldest for "
                f"{in_words(spool['oldest_age_s'])}"
            )
        yield Line("spool", text, "look" if waits else "well", page="/system")


def _platform(counted: Mapping[str, Any] | None) -> Iterator[Line]:
    if counted is None:
        yield Line("reports", "cannot be read", "unknown")
        return
    if not counted["answers"]:
        return
    ack, provoked = counted["ack"], counted["retransmissions"].get("provoked", 0)
    if ack["count"]:
        p99 = "more than 2 s" if ack["p99_s"] is None else f"{ack['p99_s']:g} s or less"
        slow = ack["p99_s"] is None or ack["p99_s"] >= 1
        yield Line("200 within", f"{p99} for 99 % of {ack['count']:,}", "bad" if slow else "well")
        late = ack["beyond_second"]
        yield Line("beyond the second", f"{late:,}", "look" if late else "well")
    if tries := counted["first_tries"]:
        good = tries.get("good", 0)
        bad = {word: count for word, count in tries.items() if word != "good"}
        text = f"{good / sum(tries.values()):.2%} well{f', {numbers(bad)}' if bad else ''}"
        yield Line("first tries", text, "look" if bad else "well")
    if last := counted["last_tries"]:
        lost = last.get("failed", 0)
        yield Line("at their last try", numbers(last), "bad" if lost else "look")
    yield Line(
        "retries that we provoked",
        f"{provoked:,}, beside {counted['retransmissions'].get('platform', 0):,} of the platform's "
        "own",
        "look" if provoked else "well",
    )
    refused = {word: counted["answers"][word] for word in _REFUSED if word in counted["answers"]}
    tone: Tone = "look" if refused else "well"
    yield Line("not taken", numbers(refused) or "none", tone, page="/sources")


def _handlers(handlers: Sequence[Mapping[str, Any]] | None) -> Iterator[Line]:
    if handlers is None:
        yield Line("handlers", "cannot be read", "unknown")
    for handler in handlers or ():
        yield Line(
            handler["handler"],
            ", ".join(state_words(handler)),
            tone_of(handler),
            moment((handler["oldest"] or {}).get("time")),
            f"/handlers/{segment(handler['handler'])}",
        )


def _letters(letters: Mapping[str, Any] | None) -> Iterator[Line]:
    if letters is None:
        yield Line("dead letters", "cannot be read", "unknown")
        return
    count, day, doubt = letters["count"], letters["last_day"], letters["in_doubt"]
    left = awake(letters)
    text = f"{count:,} of {letters['causes']:,} causes" if count else "none"
    text += f", {count - left['count']:,} of them snoozed" if left["count"] < count else ""
    yield Line("dead letters", text, "look" if left["count"] else "well", page="/dead")
    lately = "/dead" + query({"since": "1d"})
    tone: Tone = "bad" if left["last_day"] else "well"
    yield Line("of the last day", f"{day:,}", tone, page=lately if day else "")
    yield Line("effects in doubt", f"{doubt:,}", "bad" if doubt else "well", page="/doubt")


def _api(counted: Mapping[str, Any] | None) -> Iterator[Line]:
    if counted is None:
        yield Line("reports", "cannot be read", "unknown")
        return
    api = counted["api"]
    outcomes = api["outcomes"]
    if not outcomes and not api["breakers_open"]:
        return
    failed = {word: count for word, count in outcomes.items() if word != "ok"}
    text = f"{sum(outcomes.values()):,}, {outcomes.get('ok', 0):,} of them well"
    yield Line("calls", text, page="/api")
    yield Line("failed", numbers(failed) or "none", "look" if failed else "well")
    open_ = api["breakers_open"]
    text = f"open in {open_} processes: the platform is left alone" if open_ else "closed"
    yield Line("breaker", text, "bad" if open_ else "well")
    yield Line("waiting for their turn", f"{api['waiting']:,}")


SCREEN: Final = Screen(name="now", path="/", template="now.html", read=read, menu="Now", key="n")
