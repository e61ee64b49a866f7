"""Whether the promise was kept: what was answered 200 against what the stream holds. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

EVENTS_A_CALLBACK = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: answered 200, and the raw message or its event is not there. `twice`: there more
    than once, whether it was answered or not. `unasked`: there, though never answered 200.
    `forged`: there, though its signature was another's, and not marked so. `orphans`: events whose
    raw message is not there."""

    answered: int
    lost: int
    twice: int
    unasked: int
    forged: int = 0
    orphans: int = 0

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        broken = self.lost or self.twice or self.forged or self.orphans
        return self.answered > 0 and not broken


def judge(
    answered: Collection[str], stored: Mapping[str, int], forged: Collection[str] = ()
) -> Verdict:
    """Compare callback ids that got 200 with how often the stream holds each message id; none of
    `forged` may be there.
    """
    lost = [one for one in answered if not all(stored.get(i, 0) for i in ids_of(one))]
    twice = [one for one, times in stored.items() if times > 1]
    raw = {one for one in stored if "." not in one}
    orphans = {one for one in stored if one.partition(".")[0] not in raw}
    false = [one for one in forged if any(stored.get(i, 0) for i in ids_of(one))]
    unasked = raw - set(answered)
    return Verdict(len(answered), len(lost), len(twice), len(unasked), len(false), len(orphans))


def ids_of(callback_id: str) -> tuple[str, ...]:
    """The message ids of a callback: the raw message and its events."""
    return (callback_id, *(f"{callback_id}.{n}" for n in range(EVENTS_A_CALLBACK)))
