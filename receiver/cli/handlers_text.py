"""The text of `yizhan handlers`, from the document of `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from receiver.operations.handler_report import options_text
from receiver.operations.look.verdict import in_words


def handler_text(report: Mapping[str, Any]) -> str:
    """A heading and a line for each thing to know of one handler."""
    return "\n".join([report["handler"], *(f"  {name:<9} {text}" for name, text in _rows(report))])


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if report["loaded"]:
        source = f" ({report['source']})" if report["source"] else ""
        yield "from", f"{report['place']}{source}"
        yield "events", ", ".join(report["events"])
        yield "options", options_text(report["options"])
    else:
        yield "from", "not loaded here: `yizhan handlers forget` deletes its position"
    if owner := report["owner"]:
        yield "owner", f"worker {owner['worker']}, process {owner['pid']} of {owner['host']}"
    elif report["pulled"]:
        yield "owner", "a process that does not answer"
    elif report["loaded"] and not report["off"]:
        yield "owner", "no process runs it now"
    if report["off"]:
        yield "off", f"here: {report['off']}"
    yield "now", _backlog(report)
    if report["oldest"]:
        yield "oldest", _oldest(report["oldest"])
    if report["dead_letters"]:
        yield "dead", f"{report['dead_letters']} dead letters"
    if report["paused"]:
        yield "PAUSED", _paused(report["paused"])


def _backlog(report: Mapping[str, Any]) -> str:
    if report["durable"] is None:
        return "never started"
    later = "".join(f", {report[kind]} {kind}" for kind in ("timers", "coalescing") if report[kind])
    return (
        f"{report['pending']} pending, {report['running']} running, {report['waiting']} waiting, "
        f"{report['scheduled']} put off{later}"
    )


def _oldest(oldest: Mapping[str, Any]) -> str:
    return f"#{oldest['stream_seq']} of {oldest['time']}, {in_words(oldest['age_s'])} old"


def _paused(paused: Mapping[str, Any]) -> str:
    by = f" by {paused['by']}" if paused["by"] else ""
    since = f" since {paused['since']}" if paused["since"] else f" until {paused['until']}"
    lost = "; its oldest event expires before" if paused["oldest_expires_first"] else ""
    return f"{paused['reason'] or 'no reason given'}{by}{since}{lost}"
