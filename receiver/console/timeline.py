"""The life of an order as one list of entries, oldest first. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote

from receiver.operations.look.documents import moment
from receiver.operations.look.event_words import facts
from receiver.operations.look.verdict import in_words

Kind = Literal["callback", "event", "run", "effect", "letter", "waiting"]
KINDS: Final[tuple[Kind, ...]] = ("callback", "event", "run", "effect", "letter", "waiting")
_BAD: Final = frozenset({"retried", "dead_lettered"})
_NAMED: Final = 3
_FIRST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something of an order's life: when it was, what, and in few words how. `id` stays the same
    while more comes, `seq` is its place in the stream (of a letter, in that of letters), `page`
    where more of it is, `data` the data of an event; a `bad` one failed, a `look` one is unusual.
    """

    id: str
    kind: Kind
    at: datetime | None
    name: str
    text: str
    tone: Literal["", "look", "bad"] = ""
    seq: int | None = None
    page: str = ""
    notes: tuple[str, ...] = ()
    data: Any = None


def entries_of(life: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Those of the document of `yizhan order`. What has no time stands at the end."""
    found = [
        *map(_callback, life["callbacks"]),
        *map(_event, life["events"]),
        *map(_run, life["runs"]),
        *map(_effect, life["effects"]),
        *map(_letter, life["dead_letters"]),
        *map(_waiting, life["scheduled"]),
    ]
    return tuple(sorted(found, key=_place))


def _place(entry: Entry) -> tuple[bool, datetime, int, int]:
    return (entry.at is None, entry.at or _FIRST, KINDS.index(entry.kind), entry.seq or 0)


def _callback(callback: Mapping[str, Any]) -> Entry:
    again, replayed = callback["retransmission_of"], callback["replay_of"]
    notes = []
    if again:
        notes.append(f"a retransmission of {again}")
    if replayed:
        notes.append(f"its signature was used before by {replayed}")
    seq = callback["stream_seq"]
    return Entry(
        id=f"seq-{seq or callback['callback_id']}",
        kind="callback",
        at=moment(callback["received_at"]),
        name=callback["message_type"] or "callback",
        text=f"{callback['callback_id']} from {callback['source'] or 'an unknown source'}, trust "
        f"{callback['trust'] or 'unknown'}, events: {len(callback['events'])}",
        tone="look" if notes else "",
        seq=seq,
        page=f"/callbacks/{seq}" if seq else "",
        notes=tuple(notes),
    )


def _event(event: Mapping[str, Any]) -> Entry:
    return Entry(
        id=f"seq-{event['stream_seq']}",
        kind="event",
        at=moment(event["stored_at"]),
        name=event["type"] or "an event of no known type",
        text=facts(event["data"]),
        tone="look" if event["unreadable"] or event["arrival"] == "conflict" else "",
        seq=event["stream_seq"],
        page=f"/events/{event['stream_seq']}",
        notes=tuple(_notes_on(event)),
        data=event["data"],
    )


def _notes_on(event: Mapping[str, Any]) -> Iterator[str]:
    if event["origin"] != "push":
        yield f"by {event['origin']}, from {event['causation_id'] or 'no event that is known'}"
    if event["arrival"] in {"stale", "conflict"}:
        yield f"{event['arrival']}: not new to the order when it came"
    if event["unreadable"]:
        yield f"unreadable: {event['unreadable']}"


def _run(run: Mapping[str, Any]) -> Entry:
    attempt = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
    notes = []
    if run["error_digest"]:
        notes.append(f"cause {run['error_digest']} at {run['place'] or 'no place of its own'}")
    if run["api_count"]:
        notes.append(f"calls {_listed(run['api'], run['api_count'])}")
    if run["published_count"]:
        notes.append(f"publishes {_listed(run['published'], run['published_count'])}")
    return Entry(
        id=f"run-{run['handler']}-{run['event_id']}-{run['started_at']}",
        kind="run",
        at=moment(run["started_at"]),
        name=run["handler"],
        text=f"{run['outcome'].replace('_', ' ')} in {_lasting(run['duration_ms'])}{attempt}",
        tone="bad" if run["outcome"] in _BAD else "",
        notes=tuple(notes),
    )


def _lasting(milliseconds: float) -> str:
    return f"{milliseconds:g} ms" if milliseconds < 1000 else in_words(milliseconds / 1000)


def _effect(effect: Mapping[str, Any]) -> Entry:
    doubt = effect["state"] == "in_doubt"
    return Entry(
        id=effect["key"],
        kind="effect",
        at=moment(effect["at"]),
        name=f"{effect['name']} of {effect['handler']}",
        text=str(effect["state"]).replace("_", " "),
        tone="bad" if doubt else "",
        page=f"/doubt/{quote(effect['key'], safe='')}",
        notes=(f"{effect['why']}: yizhan doubt show {effect['key']}",) if doubt else (),
    )


def _letter(letter: Mapping[str, Any]) -> Entry:
    seq = letter["stream_seq"]
    return Entry(
        id=f"letter-{seq}",
        kind="letter",
        at=moment(letter["at"]),
        name=f"{letter['handler']} gave up",
        text=f"{letter['reason'] or 'no reason is given'}; attempts: {letter['attempts']}",
        tone="bad",
        seq=seq,
        page=f"/dead/{seq}",
    )


def _waiting(waiting: Mapping[str, Any]) -> Entry:
    return Entry(
        id=f"waiting-{waiting['stream_seq']}",
        kind="waiting",
        at=moment(waiting["at"]),
        name=f"{waiting['handler']} runs again",
        text=f"{waiting['kind']} of {waiting['event_id'] or 'an event'}",
    )


def _listed(names: list[str], count: int) -> str:
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
