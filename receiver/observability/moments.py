"""When something happened to a source for the first and the last time of a streak, and how often.

Kept in few words: what happened, the source, and a reason of ours; never what came.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

MomentKey = tuple[str, str, str]
"""A word of `HAPPENED`, the source (empty for no URL of one), the reason of a refusal or empty."""
REFUSED: Final = "refused"
LATE: Final = "late"
FAILED: Final = "failed"
RETRIED: Final = "retried"
LAST_TRY: Final = "last_try"
HAPPENED: Final = frozenset({REFUSED, LATE, FAILED, RETRIED, LAST_TRY})
_APART_S: Final = 24 * 3600.0
"""After so long without it, another streak begins."""
_KEYS: Final = 3
_PARTS: Final = 4


class Moment(NamedTuple):
    """Times are in seconds since 1970. `age_s` is how old the last one was by its own signed time,
    where that is why it was refused.
    """

    times: int
    first_s: float
    last_s: float
    age_s: float = 0.0

    def with_other(self, other: Moment) -> Moment:
        """Both together; the later streak alone, where they are far apart."""
        early, late = sorted((self, other), key=lambda one: one.last_s)
        if late.first_s - early.last_s > _APART_S:
            return late
        first_s = min(early.first_s, late.first_s)
        return Moment(early.times + late.times, first_s, late.last_s, late.age_s)


class Moments:
    """Those of one process, or of all together."""

    def __init__(self) -> None:
        self.known: dict[MomentKey, Moment] = {}

    def note(self, what: str, source: str, reason: str = "", *, age_s: float = 0.0) -> None:
        """It happens now."""
        now = time.time()
        self._put((what, source, reason), Moment(1, now, now, age_s))

    def add(self, other: Moments) -> None:
        """Add what another knows."""
        for key, moment in other.known.items():
            self._put(key, moment)

    def of(self, source: str, what: str) -> dict[str, Moment]:
        """Of one source, by reason."""
        return {
            reason: moment
            for (word, name, reason), moment in self.known.items()
            if (word, name) == (what, source)
        }

    def document(self) -> list[Any]:
        """As JSON; see `read_moments`."""
        return [[list(key), list(moment)] for key, moment in self.known.items()]

    def _put(self, key: MomentKey, moment: Moment) -> None:
        before = self.known.get(key)
        self.known[key] = moment if before is None else before.with_other(moment)


def read_moments(document: Mapping[str, Any]) -> Moments:
    """Those of a report, of which older versions have none; what cannot be read is left out."""
    moments = Moments()
    for key, values in document.get("moments") or ():
        if len(key) == _KEYS and len(values) == _PARTS and key[0] in HAPPENED:
            what, source, reason = map(str, key)
            times, first_s, last_s, age_s = map(float, values)
            moments.known[what, source, reason] = Moment(int(times), first_s, last_s, age_s)
    return moments
