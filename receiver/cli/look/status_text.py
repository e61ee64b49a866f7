"""The text of `yizhan status`, from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from receiver.cli.look.output import local, strong, zone
from receiver.operations.look.verdict import awake, in_words

_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def status_text(status: Mapping[str, Any]) -> Iterator[str]:
    """The verdict, then a line for each source, stream and handler."""
    colour = "green" if status["verdict"]["well"] else "yellow"
    yield strong(status["verdict"]["sentence"], colour)
    yield f"times are {zone()}"
    for title, line in (("sources", _source), ("streams", _stream), ("handlers", _handler)):
        yield strong(title)
        found = status[title]
        if found is None:
            yield "  unknown"
        elif not found:
            yield "  none"
        else:
            yield from (f"  {line(one)}" for one in found)
        if title == "sources":
            yield from _explained(found or ())
    yield from _disk(status["disk"])
    yield from _letters(status["dead_letters"])
    yield from _spool(status["spool"])
    for sentence in status["missing"]:
        yield strong(f"MISSING  {sentence}", "red")


def away_text(status: Mapping[str, Any]) -> Iterator[str]:
    """The verdict and the spool, where NATS is away."""
    yield strong(status["verdict"]["sentence"], "red")
    for source, count in ((status["spool"] or {}).get("sources") or {}).items():
        yield f"  {source:<24} {count:,} callbacks in the spool"


def in_bytes(size: int) -> str:
    """A size in its largest unit."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def _source(source: Mapping[str, Any]) -> str:
    where = "" if source["configured"] else ", not in the settings here"
    if source["last_at"] is None:
        return f"{source['source']:<24} has never sent: nothing is stored of it{where}"
    mark = "  SILENT" if source["is_silent"] else ""
    quarantined = f", {source['quarantined']} in quarantine" if source["quarantined"] else ""
    return (
        f"{source['source']:<24} last {local(source['last_at'])}, silent for "
        f"{in_words(source['silent_s'])}, {source['callbacks']:,} stored{quarantined}{where}{mark}"
    )


def _explained(sources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What is known of those that are quiet, or refused."""
    for source in sources:
        never = source["configured"] and source["last_at"] is None
        if never or source["is_silent"] or source["is_refused"]:
            yield f"  {source['explained']}"


def _stream(stream: Mapping[str, Any]) -> str:
    size = f"{stream['messages']:,} messages, {in_bytes(stream['bytes'])}"
    rate = stream["bytes_a_day"]
    grows = "" if rate is None else f", grows by {in_bytes(rate)} a day"
    if stream["full_at"]:
        until = f", full at {local(stream['full_at'])}"
    elif stream["max_bytes"] is None and stream["free_bytes"] is None:
        until = ", no bound of bytes known"
    else:
        until = ", not full at this rate"
    return f"{stream['stream']:<24} {size}{grows}{until if rate is not None else ''}"


def _handler(handler: Mapping[str, Any]) -> str:
    oldest = handler["oldest"]
    behind = (
        f", the oldest for {in_words(oldest['age_s'])} (#{oldest['stream_seq']})" if oldest else ""
    )
    if handler["paused"]:
        who = "PAUSED"
    elif handler["owner"]:
        who = f"process {handler['owner']['pid']} of {handler['owner']['host']}"
    else:
        who = "a process that does not answer" if handler["pulled"] else "no process runs it"
    waits = (
        f"{handler['pending']} pending, {handler['running']} running, "
        f"{handler['waiting']} waiting, {handler['scheduled']} put off"
    )
    dead = f", {handler['dead_letters']} dead letters" if handler["dead_letters"] else ""
    return f"{handler['handler']:<24} {waits}{behind}{dead}; {who}"


def _disk(disk: Mapping[str, Any] | None) -> Iterator[str]:
    if disk is not None:
        until = f"full at {local(disk['full_at'])}" if disk["full_at"] else "not full at this rate"
        rate = disk["bytes_a_day"]
        grows = "" if rate is None else f", {in_bytes(rate)} more a day, {until}"
        yield strong("disk of the streams")
        yield f"  {in_bytes(disk['free_bytes'])} free{grows}"


def _letters(letters: Mapping[str, Any] | None) -> Iterator[str]:
    yield strong("dead letters")
    if letters is None:
        yield "  unknown"
    else:
        yield (
            f"  {letters['count']:,} of {letters['causes']} causes, {letters['last_day']:,} of the "
            "last day"
        )
        if snoozed := letters["count"] - awake(letters)["count"]:
            yield f"  {snoozed:,} of them are snoozed"
        if letters["in_doubt"]:
            yield strong(
                f"  {letters['in_doubt']:,} of effects of which nothing here knows whether they "
                "happened: yizhan doubt list",
                "yellow",
            )


def _spool(spool: Mapping[str, Any] | None) -> Iterator[str]:
    yield strong("spool")
    if spool is None:
        yield "  there is none on this machine"
    elif not spool["callbacks"]:
        yield "  empty"
    else:
        yield (
            f"  {spool['callbacks']:,} callbacks, {in_bytes(spool['bytes'])}, the oldest for "
            f"{in_words(spool['oldest_age_s'])}"
        )
