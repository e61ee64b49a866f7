"""How a handler stands, in a word and in few words, from its report. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

Tone = Literal["well", "look", "bad", "unknown"]
"""How much something wants to be looked at; a page shows it by a word and a sign, too."""
_LATE_S: Final = 600.0


def state_words(handler: Mapping[str, Any]) -> Iterator[str]:
    """Why nothing goes on, what waits, and what failed."""
    if handler["paused"]:
        yield f"paused: {handler['paused']['reason'] or 'no reason given'}"
    elif not handler["owner"]:
        yield "a process that does not answer" if handler["pulled"] else "no process runs it"
    waits = {word: handler[word] for word in ("pending", "running", "waiting", "scheduled")}
    yield numbers(waits) or "up to date"
    if handler["dead_letters"]:
        yield f"{handler['dead_letters']:,} dead letters"


def tone_of(handler: Mapping[str, Any]) -> Tone:
    """`bad` where its oldest event has waited too long, `look` where it is not to run now."""
    oldest = handler["oldest"]
    if oldest is not None and oldest["age_s"] >= _LATE_S:
        return "bad"
    if handler["paused"] or (oldest is not None and not handler["pulled"]):
        return "look"
    return "well"


def numbers(found: Mapping[str, int]) -> str:
    """Counts in a line, without those that are zero."""
    return ", ".join(
        f"{count:,} {word.replace('_', ' ')}" for word, count in found.items() if count
    )
