"""Sources: who sends callbacks, how that is proven, what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from receiver.console.desk import Desk
from receiver.console.handler_state import Tone, numbers
from receiver.console.parts import Parts, uncounted
from receiver.console.rendering import query
from receiver.console.screen import Asked, GoneError, Screen
from receiver.console.source_state import source_tone, source_words
from receiver.operations.look.configured import Configured, ConfiguredSource
from receiver.operations.look.documents import moment

_COMMAND: Final = "yizhan status --json"
_NOT_TAKEN: Final = ("unauthorized", "refused", "unavailable", "failed", "gone")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all sources: `stored` as `yizhan status --json` has it, by name, `counted`
    as receivers reported it; each None where it cannot be read, of which `missing` says why.
    """

    stored: Mapping[str, Mapping[str, Any]] | None
    rates: Mapping[str, Mapping[str, Any]]
    counted: Mapping[str, Mapping[str, Any]] | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A source in the list; `configured` is None where the settings here do not have it."""

    source: str
    tone: Tone
    text: str
    configured: ConfiguredSource | None
    last_at: datetime | None
    callbacks: int | None
    quarantined: int | None
    not_taken: str


@dataclass(frozen=True, slots=True)
class SourcesView:
    """Every source of the settings, and those of which something is stored. `astray` are requests
    to URLs of no source, by reason.
    """

    title: str
    command: str
    sources: tuple[Row, ...]
    astray: tuple[dict[str, Any], ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source. `stored` is its part of `yizhan status --json`, `counted` what receivers have
    counted of it since they first ran; None where nothing is known.
    """

    title: str
    command: str
    source: str
    tone: Tone
    text: str
    explained: str
    last_at: datetime | None
    configured: ConfiguredSource | None
    stored: dict[str, Any] | None
    counted: dict[str, Any] | None
    missing: tuple[str, ...]
    events: str
    quarantine: str


async def read(desk: Desk, asked: Asked) -> SourcesView:
    """As they were a moment ago; where NATS is away, what the settings say."""
    return view(desk.configured, await known(desk))


def view(configured: Configured, found: Known) -> SourcesView:
    """The page of what is known."""
    names = dict.fromkeys([*configured.sources, *sorted(found.stored or ())])
    astray = (found.counted or {}).get("", {}).get("refusals", ())
    return SourcesView(
        title="Sources",
        command=_COMMAND,
        sources=tuple(_row(name, configured, found) for name in names),
        astray=tuple(astray),
        missing=found.missing,
    )


async def read_one(desk: Desk, asked: Asked) -> SourceView:
    """The one of the path; raises `GoneError`."""
    return view_one(asked.path["name"], desk.configured, await known(desk))


def view_one(name: str, configured: Configured, found: Known) -> SourceView:
    """The page of one; raises `GoneError` where neither the settings nor the log know it."""
    stored = (found.stored or {}).get(name)
    if stored is None and name not in configured.sources:
        raise GoneError(f"There is no source {name} in the settings, and nothing is stored of one.")
    row, words = _row(name, configured, found), {"source": name}
    counted = (found.counted or {}).get(name)
    return SourceView(
        title=f"Source {name}",
        command=_COMMAND,
        source=name,
        tone=row.tone,
        text=row.text,
        explained=stored["explained"] if stored else "",
        last_at=row.last_at,
        configured=row.configured,
        stored=dict(stored) if stored else None,
        counted=dict(counted) if counted else None,
        missing=found.missing,
        events="/events" + query(words),
        quarantine="/quarantine" + query(words),
    )


async def known(desk: Desk) -> Known:
    """What the log holds and what receivers report, as far as either can be read."""
    status, parts = await desk.status(), Parts()
    if status["sources"] is None:
        parts.note(*status["missing"])
        return Known(None, {}, None, parts.missing)
    counted = await parts.read(desk.counted())
    if counted is not None and (unread := uncounted(counted)):
        parts.note(*unread)
        counted = None
    stored = {one["source"]: one for one in status["sources"]}
    return Known(stored, status["rates"] or {}, counted and counted["sources"], parts.missing)


def _row(name: str, configured: Configured, found: Known) -> Row:
    stored = (found.stored or {}).get(name)
    counted = (found.counted or {}).get(name, {})
    refused = {word: counted.get("answers", {}).get(word, 0) for word in _NOT_TAKEN}
    return Row(
        source=name,
        tone="unknown" if stored is None else source_tone(stored),
        text=", ".join(_words(stored, found.rates.get(name))),
        configured=configured.sources.get(name),
        last_at=moment(stored["last_at"]) if stored else None,
        callbacks=stored["callbacks"] if stored else None,
        quarantined=stored["quarantined"] if stored else None,
        not_taken="unknown" if found.counted is None else numbers(refused) or "none",
    )


def _words(stored: Mapping[str, Any] | None, rate: Mapping[str, Any] | None) -> Iterator[str]:
    if stored is None:
        yield "what is stored of it cannot be read"
        return
    yield from source_words(stored, rate)


SCREEN: Final = Screen(
    name="sources",
    path="/sources",
    template="sources.html",
    read=read,
    menu="Sources",
    key="s",
)
ONE: Final = Screen(name="source", path="/sources/{name}", template="source.html", read=read_one)
