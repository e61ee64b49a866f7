"""What became of many messages, each of which is acted on. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_REASONS: Final = 10
_WORDS: Final = {
    "taken": "already done by another",
    "unchanged": "with nothing new",
    "left": "left as they are",
}
"""The words of some counts."""

Progress = Callable[[int], None]
"""Called with the number that was looked at so far."""


@dataclass(slots=True)
class Tally:
    """How many came to each end, by a word such as `retried`. `taken` is what another operator
    did meanwhile, so that nothing was left to do; of what `failed` the first few have a reason.
    `made` counts what was made of them, where that is not one of each.
    """

    counts: Counter[str] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    reasons: list[str] = field(default_factory=list)

    def failed(self, seq: int, reason: str, *, word: str = "failed") -> None:
        """Count one that failed."""
        self.counts[word] += 1
        if len(self.reasons) < _MAX_REASONS:
            self.reasons.append(f"#{seq}: {reason}")

    def cut_off(self, selected: int, why: str) -> None:
        """Of what was selected, the rest was not done, and can be done by the same command. Some of
        it may have been under way."""
        self.counts["left"] += max(0, selected - self.done)
        self.reasons.append(f"{why}: give the same command again to go on with what is left")

    @property
    def done(self) -> int:
        """How many were looked at."""
        return self.counts.total()

    @property
    def numbers(self) -> dict[str, int]:
        """All of them by name, without what is zero."""
        return {name: count for name, count in (self.counts + self.made).items() if count}

    @property
    def text(self) -> str:
        """The same for a person."""
        parts = [f"{count:,} {_WORDS.get(name, name)}" for name, count in self.numbers.items()]
        return ", ".join(parts) or "nothing was done"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"numbers": self.numbers, "reasons": self.reasons}
