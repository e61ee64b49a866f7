"""What can be exported, kind by kind: where it is stored, and which filters select in it. No I/O.

`callbacks` are the raw ones, with the nonces that they used up; `schedules` what handlers put off
(retries, timers, events that wait for a newer one), with what is due; `state` is what handlers
keep: effects and states of orders.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, get_args

from receiver.bus.message import StoredMessage
from receiver.bus.read import selection
from receiver.bus.read.filters import WORDS, Filters, nearest
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import ANY, Subjects
from receiver.errors import ConfigurationError

Kind = Literal[
    "events", "callbacks", "quarantine", "schedules", "letters", "runs", "audit", "state", "nonces"
]
KINDS: Final[tuple[Kind, ...]] = tuple(kind for kind in get_args(Kind) if kind != "nonces")
"""Those that can be asked for: nonces come with their callbacks."""
_OF_TOKEN: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "events": "events",
        "callbacks": "callbacks",
        "nonces": "nonces",
        "quarantine": "quarantine",
        "schedules": "schedules",
        "due": "schedules",
        "dead": "letters",
        "runs": "runs",
        "audit": "audit",
    }
)
"""By the second token of a subject."""
_LOGGED: Final[Mapping[Kind, Callable[[Filters, Subjects], StreamSelection]]] = MappingProxyType(
    {
        "events": selection.events,
        "callbacks": selection.callbacks,
        "quarantine": selection.quarantine,
    }
)
"""The kinds of the main stream, which are read in one pass: an event stays behind its callback."""


@dataclass(frozen=True, slots=True)
class Section:
    """One pass over a stream: of what the server selects, the messages of `kinds`, but for those
    below `skipped`.
    """

    selection: StreamSelection
    kinds: frozenset[Kind]
    skipped: str = ""

    def takes(self, stored: StoredMessage, kind: Kind | None) -> bool:
        """Whether a message is of this section. Only events have headers to compare."""
        if kind not in self.kinds or (
            self.skipped and stored.nats_subject.startswith(self.skipped)
        ):
            return False
        return kind not in {"events", "letters"} or self.selection.keeps(stored)


def chosen_kinds(text: str) -> tuple[Kind, ...]:
    """The kinds of a list with commas, each once; raises `ConfigurationError`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in KINDS:
            raise ConfigurationError(f"{word}: is no kind: {nearest(word, KINDS)}")
    if not words:
        raise ConfigurationError(f"is empty: name some of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in words)


def kind_of(nats_subject: str, subjects: Subjects) -> Kind | None:
    """What a message on a subject is; None for what is none of these."""
    if nats_subject.startswith(subjects.state("")):
        return "state"
    root, _, rest = nats_subject.partition(".")
    token, _, key = rest.partition(".")
    return _OF_TOKEN.get(token) if key and root == subjects.root else None


def sections(kinds: Collection[Kind], filters: Filters, subjects: Subjects) -> list[Section]:
    """The passes that read these kinds, in the order of an export; raises `ConfigurationError`
    where a filter selects none of a kind.

    Effects come before events, so that no handler can run one without knowing of its effects; what
    names events by their place in the stream comes behind them.
    """
    found: list[Section] = []
    effects = subjects.state("effect.")
    if "state" in kinds:
        _refuse(filters, "state")
        found.append(_section(StreamSelection(subjects.state_stream, [f"{effects}>"]), "state"))
    if {*_LOGGED} & {*kinds}:
        found.append(_logged(kinds, filters, subjects))
    if "schedules" in kinds:
        _refuse(filters, "schedules")
        put_off = [f"{subjects.root}.{token}.>" for token in ("schedules", "due")]
        found.append(_section(StreamSelection(subjects.stream, put_off), "schedules"))
    if "letters" in kinds:
        found.append(_section(selection.letters(filters, subjects), "letters"))
    if "runs" in kinds:
        found.append(_section(selection.runs(filters, subjects), "runs"))
    if "audit" in kinds:
        _refuse(replace(filters, since=None, until=None), "audit", "since, until")
        records = [subjects.all_audit]
        stream = subjects.audit_stream
        within = StreamSelection(stream, records, filters.since, filters.until)
        found.append(_section(within, "audit"))
    if "state" in kinds:
        everything = StreamSelection(subjects.state_stream, [subjects.all_state])
        found.append(_section(everything, "state", skipped=effects))
    return found


def _section(chosen: StreamSelection, *kinds: Kind, skipped: str = "") -> Section:
    return Section(chosen, frozenset(kinds), skipped)


def _logged(kinds: Collection[Kind], filters: Filters, subjects: Subjects) -> Section:
    """What lies in the main stream. Without a filter but times the whole of it is read: to a
    consumer of several subjects the server gives a quarter as many messages a second.
    """
    asked = [kind for kind in _LOGGED if kind in kinds]
    selections = [_LOGGED[kind](filters, subjects) for kind in asked]
    wanted = [subject for one in selections for subject in one.nats_subjects]
    if "callbacks" in kinds:
        asked.append("nonces")
        wanted.append(subjects.nonce(filters.source or ANY, ANY))
    if len(wanted) > 1 and not {*filters.given} - {"since", "until"}:
        wanted = []
    return _section(replace(selections[0], nats_subjects=wanted), *asked)


def _refuse(filters: Filters, kind: str, taken: str = "") -> None:
    if filters.given:
        what = f"that takes {taken} alone" if taken else "that takes no filter"
        raise ConfigurationError(f"{WORDS[filters.given[0]]}: selects nothing in {kind}: {what}")
