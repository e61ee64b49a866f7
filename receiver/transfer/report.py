"""What became of an import. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from receiver.transfer.kinds import Kind

Word = Literal[
    "stored", "already there", "stricter", "kept", "left out", "expired", "done there", "failed"
]
"""What became of a line. Of what handlers keep: `stricter` took the place of what was here, `kept`
is that what is here stays, and `left out` what means nothing here or is made of the events anew.
What a handler put off and had finished is `done there`. What has `failed` is not stored.
"""
_MAX_PROBLEMS: Final = 20


@dataclass(slots=True)
class Report:
    """How many lines of each kind came to each end. `problems` are the first lines that failed, by
    number, and `foreign` is how many are no lines of an export. `begun` are the handlers that begin
    where they were, `missing` those that were not done and are not loaded here.
    """

    counts: dict[Kind, Counter[Word]] = field(default_factory=dict)
    foreign: int = 0
    problems: list[str] = field(default_factory=list)
    begun: Sequence[str] = ()
    missing: Sequence[str] = ()

    def count(self, kind: Kind, word: Word) -> None:
        """Count one line."""
        self.counts.setdefault(kind, Counter())[word] += 1

    def fail(self, number: int, reason: str, kind: Kind | None = None) -> None:
        """Count a line that is not stored; without a kind it is none of an export."""
        if kind is None:
            self.foreign += 1
        else:
            self.count(kind, "failed")
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(f"line {number}: {reason}")

    @property
    def numbers(self) -> dict[str, int]:
        """All lines by what became of them, and the foreign ones."""
        total: Counter[str] = Counter()
        for counted in self.counts.values():
            total.update(counted)
        return dict(total) | ({"foreign": self.foreign} if self.foreign else {})

    @property
    def failed(self) -> int:
        """How many lines are not stored and should be."""
        return self.foreign + self.numbers.get("failed", 0)

    @property
    def well(self) -> int:
        """How many are dealt with."""
        return sum(self.numbers.values()) - self.failed

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "counts": {kind: dict(counted) for kind, counted in self.counts.items()},
            "foreign": self.foreign,
            "problems": self.problems,
            "handlers": {"begun": list(self.begun), "missing": list(self.missing)},
        }
