"""What a purge would delete, and what that would leave without evidence. Performs no I/O."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from receiver.bus.message import StoredMessage
from receiver.errors import ConfigurationError

Kind = Literal["callbacks", "letters", "runs", "state", "deferred", "events"]
"""What lies in the streams, in the order of deletion: events last, since the rest is found by them.
`deferred` is what waits for its time: retries, timers, what is due."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
CHOICES: Final = tuple(kind for kind in KINDS if kind != "deferred")
"""Those that are asked for by name; what is deferred goes with the events of an order."""


@dataclass(slots=True)
class Part:
    """Messages of one stream, by sequence, and when the first and the last of them were stored."""

    kind: Kind
    stream: str
    sequences: array[int] = field(default_factory=lambda: array("Q"))
    first: datetime | None = None
    last: datetime | None = None

    def add(self, stored: StoredMessage) -> None:
        """Select one more."""
        self.sequences.append(stored.stream_seq)
        self.first = min(self.first or stored.stored_at, stored.stored_at)
        self.last = max(self.last or stored.stored_at, stored.stored_at)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "what": self.kind,
            "stream": self.stream,
            "messages": len(self.sequences),
            "first_seq": min(self.sequences, default=None),
            "last_seq": max(self.sequences, default=None),
            "first_at": _text(self.first),
            "last_at": _text(self.last),
        }


@dataclass(slots=True)
class PurgePlan:
    """What was selected; nothing that is stored later is deleted.

    `types` counts events. `unprocessed` is how many of them each handler may not have handled yet.
    `effects` counts by state the ledger's entries for the facts of these events, and
    `claimed` are those whose body may still run. Where the state stays, `states_kept` is how many
    states of orders were folded from these events. Of the callbacks `shared` ones made events that
    stay, too; `callbacks_missing` is how many the events name that were not found.
    """

    parts: dict[Kind, Part] = field(default_factory=dict)
    types: Counter[str] = field(default_factory=Counter)
    unprocessed: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    states_kept: int = 0
    shared: int = 0
    callbacks_missing: int = 0

    def part(self, kind: Kind, stream: str) -> Part:
        """What is selected of a kind."""
        return self.parts.setdefault(kind, Part(kind, stream))

    def ordered(self) -> Iterator[Part]:
        """What there is to delete, in the order of deletion."""
        for kind in KINDS:
            if (part := self.parts.get(kind)) is not None and part.sequences:
                yield part

    @property
    def total(self) -> int:
        """How many messages."""
        return sum(len(part.sequences) for part in self.parts.values())

    @property
    def numbers(self) -> dict[str, int]:
        """How many of each kind, without what is zero."""
        return {part.kind: len(part.sequences) for part in self.ordered()}

    def check(self, *, unprocessed: bool) -> None:
        """Raise `ConfigurationError` for what a handler still needs, unless that may go."""
        if unprocessed:
            return
        reasons = [
            f"{name} has not handled {count:,} of the events"
            for name, count in sorted(self.unprocessed.items())
        ]
        if "state" in self.parts and (claimed := self.effects["claimed"]):
            reasons.append(f"of {claimed:,} effects it is not known yet whether they happened")
        if reasons:
            raise ConfigurationError(
                f"{'; '.join(reasons)}: wait until that is done, or give --unprocessed to delete "
                "it all the same"
            )

    def document(self) -> Mapping[str, Any]:
        """As JSON."""
        return {
            "total": self.total,
            "streams": [part.document() for part in self.ordered()],
            "types": dict(self.types.most_common()),
            "unprocessed": dict(self.unprocessed),
            "effects": dict(self.effects),
            "effects_deleted": "state" in self.parts,
            "states_without_events": self.states_kept,
            "callbacks_shared": self.shared,
            "callbacks_missing": self.callbacks_missing,
        }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
