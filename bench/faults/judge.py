"""Whether the promise was kept: what was answered 200 against what the stream holds. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

EVENTS_A_CALLBACK = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: answered 200, and the raw message or its event is not there. `twice`: there more
    than once, whether it was answered or not. `unasked`: there, though never answered 200."""

    answered: int
    lost: int
    twice: int
    unasked: int

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return self.answered > 0 and not self.lost and not self.twice


def judge(answered: Collection[str], stored: Mapping[str, int]) -> Verdict:
    """Compare callback ids that got 200 with how often the stream holds each message id."""
    lost = [one for one in answered if not all(stored.get(i, 0) for i in ids_of(one))]
    twice = [one for one, times in stored.items() if times > 1]
    raw = {one for one in stored if "." not in one}
    return Verdict(len(answered), len(lost), len(twice), len(raw - set(answered)))


def ids_of(callback_id: str) -> tuple[str, ...]:
    """The message ids of a callback: the raw message and its events."""
    return (callback_id, *(f"{callback_id}.{n}" for n in range(EVENTS_A_CALLBACK)))
