"""The texts of `yizhan dead`, from the documents of `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from receiver.cli.look.output import local, strong


def groups_text(document: Mapping[str, Any]) -> Iterator[str]:
    """A heading, then two lines a cause."""
    causes = document["causes"]
    if not causes:
        yield "no dead letter"
        return
    of = "1 cause" if len(causes) == 1 else f"{len(causes)} causes"
    yield f"{sum(c['count'] for c in causes):,} dead letters of {of}"
    for cause in causes:
        yield strong(
            f"{cause['handler']}  {cause['cause'] or 'without a fingerprint (version 0.1)'}  "
            f"{cause['count']:,} {'letter' if cause['count'] == 1 else 'letters'}"
        )
        place = f" at {cause['place']}" if cause["place"] else ""
        yield f"  {cause['reason'] or 'no reason is given'}{place}"
        yield (
            f"  first {local(cause['first_at'])}, last {local(cause['last_at'])}: "
            f"yizhan dead show '#{cause['newest_seq']}'"
        )
        if snoozed := cause["snoozed"]:
            until = local(snoozed["until"])
            yield f"  snoozed until {until} by {snoozed['by']}: {snoozed['reason']}"


def letter_text(document: Mapping[str, Any]) -> Iterator[str]:
    """Why, the attempts, the event."""
    letter, event = document["letter"], document["event"]
    yield strong(f"dead letter #{letter['stream_seq']} of {letter['handler']}")
    yield f"  {'reason':<14} {letter['reason']}"
    for name in ("place", "cause", "code_version"):
        yield f"  {name:<14} {letter[name] or '-'}"
    yield f"  {'given up':<14} {local(letter['at'])} after {letter['attempts']} attempts"
    for attempt in letter["history"]:
        yield f"    {local(attempt['time'])}  {attempt['digest']} at {attempt['place']}"
    if letter["traceback"]:
        yield strong("traceback")
        yield from (f"  {line}" for line in letter["traceback"].splitlines())
    yield strong(f"event {event['type']} {event['id']} #{event['stream_seq']}")
    for name in ("nats_subject", "order_id", "time", "received_at", "source", "trust", "fact_id"):
        yield f"  {name:<14} {event[name] or '-'}"
    if event["unreadable"]:
        yield f"  unreadable: {event['unreadable']}"
    yield from (f"  {line}" for line in _pretty(event["data"]))


def _pretty(data: Any) -> Iterable[str]:
    return json.dumps(data, indent=2, ensure_ascii=False).splitlines()
