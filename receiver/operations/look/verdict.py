"""The verdict on a status: one sentence, and what it rests on. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from receiver.operations.look.room import SOON

_LATE_S: Final = 600.0
"""An event that waits for longer is late."""
_SPOOLED_S: Final = 60.0
_NEAR: Final = 0.9
_OF_LETTERS: Final = ("count", "causes", "last_day", "in_doubt")


def verdict(status: Mapping[str, Any]) -> dict[str, Any]:
    """`well`, a `sentence` for a person, and each of its `concerns`, gravest first."""
    concerns = [*_concerns(status)]
    if concerns:
        count = f"{len(concerns)} things" if len(concerns) > 1 else "one thing"
        sentence = f"{count} to look at: {'; '.join(concerns)}"
    else:
        sentence = f"all is well: {_calm(status)}"
    return {"well": not concerns, "sentence": sentence, "concerns": concerns}


def away(missing: Sequence[str], spool: Mapping[str, Any] | None) -> str:
    """The sentence where NATS is away: why, and what waits on this machine."""
    if spool is None:
        waits = "there is no spool on this machine" if len(missing) == 1 else "the spool is unknown"
    elif not spool["callbacks"]:
        waits = "the spool is empty"
    else:
        waits = _waiting(spool)
    return f"{'; '.join(missing)}; {waits}"


def awake(letters: Mapping[str, Any]) -> dict[str, int]:
    """The counts of a status's dead letters without those of causes that are snoozed."""
    asleep = letters.get("snoozed", {})
    return {name: letters[name] - asleep.get(name, 0) for name in _OF_LETTERS}


def in_words(seconds: float) -> str:
    """A duration in its largest unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _concerns(status: Mapping[str, Any]) -> Iterator[str]:
    for sentence in status["missing"]:
        yield f"unknown: {sentence}"
    yield from _of_spool(status["spool"])
    for source in status["sources"] or ():
        yield from _of_source(source)
    for handler in status["handlers"] or ():
        yield from _of_handler(handler)
    yield from _of_letters(status["dead_letters"])
    for stream in status["streams"] or ():
        yield from _of_stream(stream, datetime.fromisoformat(status["at"]))
    yield from _of_disk(status["disk"], datetime.fromisoformat(status["at"]))


def _of_letters(letters: Mapping[str, Any] | None) -> Iterator[str]:
    if letters is not None and (left := awake(letters))["count"]:
        doubt = left["in_doubt"]
        yield (
            f"{left['count']} dead letters of {left['causes']} causes, "
            f"{left['last_day']} of the last day"
            + (f", {doubt} of effects in doubt" if doubt else "")
        )


def _of_spool(spool: Mapping[str, Any] | None) -> Iterator[str]:
    if spool and spool["callbacks"] and spool["oldest_age_s"] >= _SPOOLED_S:
        yield _waiting(spool)


def _waiting(spool: Mapping[str, Any]) -> str:
    age = in_words(spool["oldest_age_s"])
    return f"{spool['callbacks']} callbacks wait in the spool, the oldest for {age}"


def _of_source(source: Mapping[str, Any]) -> Iterator[str]:
    name = source["source"]
    if source["is_silent"]:
        if source["silence"]:
            usual = f"{source['silence']['expected']:,.0f} callbacks usually come"
        else:
            usual = f"{source['usual']} callbacks came earlier"
        yield f"source {name} is silent for {in_words(source['silent_s'])}, in which {usual}"
    if source["is_refused"]:
        yield f"all that comes of {name} is refused"
    if source["quarantined_day"]:
        yield f"{source['quarantined_day']} callbacks of {name} in quarantine in a day"


def _of_handler(handler: Mapping[str, Any]) -> Iterator[str]:
    name, oldest, paused = handler["handler"], handler["oldest"], handler["paused"]
    late = oldest is not None and oldest["age_s"] >= _LATE_S
    if paused:
        lost = ", and its oldest event expires before" if paused["oldest_expires_first"] else ""
        yield f"handler {name} is paused: {paused['reason'] or 'no reason given'}{lost}"
    elif late and not handler["pulled"]:
        yield (
            f"no process runs handler {name}: {handler['pending']} events wait, the oldest for "
            f"{in_words(oldest['age_s'])}"
        )
    elif late:
        yield (
            f"handler {name} is {in_words(oldest['age_s'])} behind, with "
            f"{handler['pending'] + handler['waiting']} events waiting"
        )


def _of_stream(stream: Mapping[str, Any], now: datetime) -> Iterator[str]:
    name, bound = stream["stream"], stream["max_bytes"]
    full_at = datetime.fromisoformat(stream["full_at"]) if stream["full_at"] else None
    if bound and stream["bytes"] >= bound * _NEAR:
        yield f"stream {name} has reached {stream['bytes'] / bound:.0%} of its bytes"
    elif bound and full_at is not None and full_at - now < SOON:
        yield f"stream {name} is full in {in_words((full_at - now).total_seconds())}"


def _of_disk(disk: Mapping[str, Any] | None, now: datetime) -> Iterator[str]:
    full_at = datetime.fromisoformat(disk["full_at"]) if disk and disk["full_at"] else None
    if full_at is not None and full_at - now < SOON:
        yield f"the disk of the streams is full in {in_words((full_at - now).total_seconds())}"


def _calm(status: Mapping[str, Any]) -> str:
    sources = [one for one in status["sources"] if one["silent_s"] is not None]
    if not sources:
        return "no callback is stored yet"
    least = min(one["silent_s"] for one in sources)
    behind = sum(one["pending"] + one["waiting"] for one in status["handlers"])
    return f"the last callback came {in_words(least)} ago, {behind} events wait for handlers"
