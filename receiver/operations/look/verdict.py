"""The verdict on a status: one sentence, and what it rests on. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from receiver.operations.look.room import SOON

_LATE_S: Final = 600.0
"""An event that waits for longer is late."""
_SPOOLED_S: Final = 60.0
_NEAR: Final = 0.9
_OF_LETTERS: Final = ("count", "causes", "last_day", "in_doubt")


class Concern(NamedTuple):
    """Something to look at. `alerts` are those of the table that say the same once it has lasted,
    in the case of its `labels`, or any where it has none; of the first it has the severity.
    """

    sentence: str
    alerts: tuple[str, ...] = ()
    labels: Mapping[str, str] = MappingProxyType({})


def verdict(status: Mapping[str, Any]) -> dict[str, Any]:
    """`well`, a `sentence` for a person, and each of its `concerns`, gravest first."""
    found = [one.sentence for one in concerns(status)]
    if found:
        count = f"{len(found)} things" if len(found) > 1 else "one thing"
        sentence = f"{count} to look at: {'; '.join(found)}"
    else:
        sentence = f"all is well: {_calm(status)}"
    return {"well": not found, "sentence": sentence, "concerns": found}


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


def concerns(status: Mapping[str, Any]) -> Iterator[Concern]:
    """What stands out in a status, also in one that was made without NATS."""
    now = datetime.fromisoformat(status["at"])
    for sentence in status["missing"]:
        yield Concern(f"unknown: {sentence}", _alert_of_missing(sentence, status))
    yield from _of_spool(status["spool"])
    for source in status["sources"] or ():
        yield from _of_source(source)
    for handler in status["handlers"] or ():
        yield from _of_handler(handler)
    yield from _of_letters(status["dead_letters"])
    for stream in status["streams"] or ():
        yield from _of_stream(stream, now)
    yield from _of_disk(status["disk"], now)


def _alert_of_missing(sentence: str, status: Mapping[str, Any]) -> tuple[str, ...]:
    if sentence.startswith("spool: "):
        return ("YizhanSpoolUnreadable",)
    return ("YizhanNatsAway",) if status["sources"] is None else ()


def _of_spool(spool: Mapping[str, Any] | None) -> Iterator[Concern]:
    if spool and spool["callbacks"] and spool["oldest_age_s"] >= _SPOOLED_S:
        yield Concern(_waiting(spool), ("YizhanSpoolStuck", "YizhanNatsAway"))


def _waiting(spool: Mapping[str, Any]) -> str:
    age = in_words(spool["oldest_age_s"])
    return f"{spool['callbacks']} callbacks wait in the spool, the oldest for {age}"


def _of_source(source: Mapping[str, Any]) -> Iterator[Concern]:
    name = source["source"]
    of = {"source": name}
    if source["is_silent"]:
        if source["silence"]:
            usual = f"{source['silence']['expected']:,.0f} callbacks usually come"
        else:
            usual = f"{source['usual']} callbacks came earlier"
        silent = f"source {name} is silent for {in_words(source['silent_s'])}, in which {usual}"
        yield Concern(silent, ("YizhanSourceSilent",), of)
    if source["is_refused"]:
        yield Concern(f"all that comes of {name} is refused", ("YizhanSecretRefused",), of)
    if source["quarantined_day"]:
        unread = f"{source['quarantined_day']} callbacks of {name} in quarantine in a day"
        yield Concern(unread, ("YizhanCallbacksUnreadable",), of)


def _of_handler(handler: Mapping[str, Any]) -> Iterator[Concern]:
    name, oldest, paused = handler["handler"], handler["oldest"], handler["paused"]
    of = {"handler": name}
    late = oldest is not None and oldest["age_s"] >= _LATE_S
    if paused:
        lost = ", and its oldest event expires before" if paused["oldest_expires_first"] else ""
        reason = paused["reason"] or "no reason given"
        yield Concern(f"handler {name} is paused: {reason}{lost}", labels=of)
    elif late and not handler["pulled"]:
        unowned = (
            f"no process runs handler {name}: {handler['pending']} events wait, the oldest for "
            f"{in_words(oldest['age_s'])}"
        )
        yield Concern(unowned, ("YizhanHandlerNotOwned",), of)
    elif late:
        behind = (
            f"handler {name} is {in_words(oldest['age_s'])} behind, with "
            f"{handler['pending'] + handler['waiting']} events waiting"
        )
        yield Concern(behind, ("YizhanHandlerBehind", "YizhanHandlerWedged"), of)


def _of_letters(letters: Mapping[str, Any] | None) -> Iterator[Concern]:
    if letters is not None and (left := awake(letters))["count"]:
        doubt = left["in_doubt"]
        stored = (
            f"{left['count']} dead {'letter' if left['count'] == 1 else 'letters'} of "
            f"{left['causes']} {'cause' if left['causes'] == 1 else 'causes'}, "
            f"{left['last_day']} of the last day"
            + (f", {doubt} of effects in doubt" if doubt else "")
        )
        yield Concern(stored, ("YizhanDeadLetters",))


def _of_stream(stream: Mapping[str, Any], now: datetime) -> Iterator[Concern]:
    name, bound, alerts = stream["stream"], stream["max_bytes"], ("YizhanStreamFullSoon",)
    full_at = datetime.fromisoformat(stream["full_at"]) if stream["full_at"] else None
    if bound and stream["bytes"] >= bound * _NEAR:
        reached = f"stream {name} has reached {stream['bytes'] / bound:.0%} of its bytes"
        yield Concern(reached, alerts, {"stream": name})
    elif bound and full_at is not None and full_at - now < SOON:
        full_in = in_words((full_at - now).total_seconds())
        yield Concern(f"stream {name} is full in {full_in}", alerts, {"stream": name})


def _of_disk(disk: Mapping[str, Any] | None, now: datetime) -> Iterator[Concern]:
    full_at = datetime.fromisoformat(disk["full_at"]) if disk and disk["full_at"] else None
    if full_at is not None and full_at - now < SOON:
        full_in = in_words((full_at - now).total_seconds())
        yield Concern(f"the disk of the streams is full in {full_in}", ("YizhanDiskFullSoon",))


def _calm(status: Mapping[str, Any]) -> str:
    sources = [one for one in status["sources"] if one["silent_s"] is not None]
    if not sources:
        return "no callback is stored yet"
    least = min(one["silent_s"] for one in sources)
    behind = sum(one["pending"] + one["waiting"] for one in status["handlers"])
    return f"the last callback came {in_words(least)} ago, {behind} events wait for handlers"
