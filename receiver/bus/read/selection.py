"""What filters select in each stream: its subjects, its times, and what is left to compare. No I/O.

The server finds by subject and by time of storing; the cost of a selection follows what these
match. What no subject holds (`tests`, `limit`) is compared by the reader, message by message.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.filters import WORDS, Filters, is_fingerprint
from receiver.bus.read.history import Span
from receiver.bus.subjects import ANY, Subjects, encode_token, overlap
from receiver.errors import ConfigurationError

_TIMES: Final = frozenset({"since", "until", "limit"})
_OF_EVENTS: Final = _TIMES | {"event_type", "channel", "order_id", "source", "fact_id", "origin"}
_OF_LETTERS: Final = _OF_EVENTS | {"handler", "cause"}
_OF_RUNS: Final = _TIMES | {"handler", "channel", "order_id"}
_OF_CALLBACKS: Final = _TIMES | {"source"}


class HeaderTest(NamedTuple):
    """A header whose decoded value has to be `text`, or begin with it; `default` stands for a
    message without the header."""

    header: str
    text: str
    begins: bool = False
    default: str = ""

    def holds(self, headers: Mapping[str, str]) -> bool:
        """Whether it does. Names of headers are ours, in lower case."""
        value = decode_header(headers.get(self.header, self.default))
        return value.startswith(self.text) if self.begins else value == self.text


@dataclass(frozen=True, slots=True)
class StreamSelection:
    """Messages of `stream` on any of `nats_subjects`, stored from `since` on and before `until`,
    that pass each of `tests`; of those the last `limit`.

    Where subjects overlap, a message is read once.
    """

    stream: str
    nats_subjects: Sequence[str]
    since: datetime | None = None
    until: datetime | None = None
    tests: Sequence[HeaderTest] = ()
    limit: int | None = None

    @property
    def span(self) -> Span:
        """What the server selects of it."""
        return Span(self.nats_subjects, since=self.since, until=self.until)

    def keeps(self, stored: StoredMessage) -> bool:
        """Whether a message that the server selected is one of these."""
        return all(test.holds(stored.headers) for test in self.tests)

    def selects(self, stored: StoredMessage) -> bool:
        """Whether a message of the stream, found otherwise, is one of these."""
        taken = any(overlap(subject, stored.nats_subject) for subject in self.nats_subjects)
        early = self.since is not None and stored.stored_at < self.since
        late = self.until is not None and stored.stored_at >= self.until
        return taken and not early and not late and self.keeps(stored)

    def nats_commands(self, now: datetime) -> list[str]:
        """The nearest that the `nats` command line can do: one command a subject."""
        age_s = math.ceil((now - self.since).total_seconds()) if self.since else 0
        since = f" --since={age_s}s" if age_s else ""
        return [
            f"nats stream view {self.stream} --subject={shlex.quote(subject)}{since}"
            for subject in self.nats_subjects
        ]


def events(filters: Filters, subjects: Subjects, among: Sequence[str] = ()) -> StreamSelection:
    """Events. `among`, where given, are the only types of interest, such as those that a handler
    takes. Raises `ConfigurationError` for a filter that selects no events.
    """
    _refuse_others(filters, _OF_EVENTS, "events")
    chosen = kinds(filters, among)
    channel, key = filters.channel or ANY, _key(filters)
    return _selection(
        filters,
        subjects.stream,
        [f"{subjects.root}.events.{channel}.{kind}.{key}" for kind in chosen],
        _event_tests(filters),
    )


def kinds(filters: Filters, among: Sequence[str] = ()) -> Sequence[str]:
    """`<domain>.<event>` of each type selected, with wildcards; raises `ConfigurationError`."""
    kind = filters.kind
    if not among:
        return (kind,)
    asked = filters.event_type
    chosen = [t for t in dict.fromkeys(among) if asked in {None, t, t.partition(".")[0]}]
    if not chosen:
        raise ConfigurationError(
            f"event type {asked}: is not taken there: "
            f"leave it out, or name one of {', '.join(among)}"
        )
    return chosen


def callbacks(filters: Filters, subjects: Subjects) -> StreamSelection:
    """Raw callbacks; raises `ConfigurationError` for a filter that selects none."""
    _refuse_others(filters, _OF_CALLBACKS, "callbacks")
    return _selection(filters, subjects.stream, [subjects.raw(filters.source or ANY)])


def quarantine(filters: Filters, subjects: Subjects) -> StreamSelection:
    """Callbacks that could not be read; raises `ConfigurationError` likewise."""
    _refuse_others(filters, _OF_CALLBACKS, "quarantined callbacks")
    return _selection(filters, subjects.stream, [subjects.quarantine(filters.source or ANY)])


def runs(filters: Filters, subjects: Subjects) -> StreamSelection:
    """Records of runs; raises `ConfigurationError` likewise."""
    _refuse_others(filters, _OF_RUNS, "runs")
    handler, channel = filters.handler or ANY, filters.channel or ANY
    one = f"{subjects.root}.runs.{handler}.{channel}.{_key(filters)}"
    return _selection(filters, subjects.runs_stream, [one])


def letters(filters: Filters, subjects: Subjects) -> StreamSelection:
    """Dead letters: handler and cause by subject, what their event was by its headers. Those of
    version 0.1 are on a subject without a cause.
    """
    _refuse_others(filters, _OF_LETTERS, "dead letters")
    handler, cause = filters.handler or ANY, filters.cause
    tests = list(_event_tests(filters))
    if filters.event_type:
        kind = filters.event_type if "." in filters.event_type else f"{filters.event_type}."
        tests.append(HeaderTest("ce-type", f"yizhan.{kind}", begins=True))
    if filters.channel:
        tests.append(HeaderTest("ce-channel", filters.channel))
    if filters.order_id:
        tests.append(HeaderTest("ce-subject", filters.order_id))
    if cause and is_fingerprint(cause):
        chosen = [subjects.dead(handler, cause)]
    else:
        chosen = [f"{subjects.root}.dead.{handler}", subjects.dead(handler, ANY)]
        if cause:
            tests.append(HeaderTest("yizhan-reason", cause, begins=True))
    return _selection(filters, subjects.dead_stream, chosen, tests)


def _event_tests(filters: Filters) -> Sequence[HeaderTest]:
    tests = []
    if filters.source:
        tests.append(HeaderTest("ce-source", f"/sources/{filters.source}"))
    if filters.fact_id:
        tests.append(HeaderTest("ce-factid", filters.fact_id))
    if filters.origin:
        tests.append(HeaderTest("ce-origin", filters.origin, default="push"))
    return tests


def _selection(
    filters: Filters, stream: str, chosen: Sequence[str], tests: Sequence[HeaderTest] = ()
) -> StreamSelection:
    return StreamSelection(stream, chosen, filters.since, filters.until, tests, limit=filters.limit)


def _key(filters: Filters) -> str:
    return ANY if filters.order_id is None else encode_token(filters.order_id)


def _refuse_others(filters: Filters, taken: Collection[str], what: str) -> None:
    for name in filters.given:
        if name not in taken:
            words = ", ".join(sorted(WORDS[one] for one in taken))
            raise ConfigurationError(f"{WORDS[name]}: selects no {what}: those take {words}")
