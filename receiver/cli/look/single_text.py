"""The texts of `yizhan callback` and `yizhan event`, from the documents of `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from receiver.cli.look.output import local, strong

_NOT_LISTED: Final = frozenset({"data", "body", "stream_seq", "type", "nats_subject", "id"})


def event_text(document: Mapping[str, Any]) -> Iterator[str]:
    """Attributes, data, handlers, then the callback."""
    event = document["event"]
    yield strong(f"{event['type']} {event['id']} #{event['stream_seq']}")
    yield f"  {'subject':<18} {event['nats_subject']}"
    yield from _fields(event)
    yield strong("data")
    yield from _indented(event["data"])
    yield strong("handlers")
    if not document["handlers"]:
        yield "  none takes it"
    for handler in document["handlers"]:
        yield f"  {handler['handler']}: {handler['progress'] or 'no consumer any more'}"
        for run in handler["runs"]:
            yield f"    {_run(run)}"
    for letter in document["dead_letters"]:
        yield strong(
            f"  dead letter #{letter['stream_seq']} of {letter['handler']}: {letter['reason']}",
            "red",
        )
    if document["callback"] is None:
        yield "its callback is not stored near it"
    else:
        yield from _callback(document["callback"])
    for other in document["retransmissions"]:
        yield from _retransmission(other)


def _retransmission(other: Mapping[str, Any]) -> Iterator[str]:
    place = f"#{other['stream_seq']}" if other["stream_seq"] else "not stored near it"
    yield strong(f"the same fact in callback {other['callback_id']} {place}")
    differences = other["differences"]
    if differences is None:
        yield "  which cannot be compared"
        return
    if not differences:
        yield "  no field differs"
    for one in differences:
        yield f"  {one['field']}: {_value(one['here'])} here, {_value(one['there'])} there"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def callback_text(document: Mapping[str, Any]) -> Iterator[str]:
    """How it came, what it holds, and its events."""
    yield from _callback(document["callback"])
    yield strong("events")
    if not document["events"]:
        yield "  none"
    for event in document["events"]:
        yield f"  #{event['stream_seq']} {event['type']} {event['id']} of {event['order_id']}"


def _callback(callback: Mapping[str, Any]) -> Iterator[str]:
    kind = "quarantined callback" if callback["quarantined"] else "callback"
    yield strong(f"{kind} {callback['callback_id']} #{callback['stream_seq']}")
    yield from _fields(callback)
    yield from _body(callback["body"])


def _fields(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if name in _NOT_LISTED or value is None or value is False:
            continue
        text = local(value) if name.endswith(("_at", "time")) else value
        yield f"  {name:<18} {text}"


def _body(body: Mapping[str, Any]) -> Iterator[str]:
    size = f"{body['size_bytes']:,} bytes"
    if "text" in body:
        yield strong(f"body, {size}, as it came")
        yield f"  {body['text']}"
    elif "base64" in body:
        yield strong(f"body, {size}, in base64")
        yield f"  {body['base64']}"
    elif body["masked"] is None:
        yield strong(f"body, {size}: neither JSON nor a form; --reveal shows it")
    else:
        yield strong(f"body, {size}, personal data masked; --reveal shows it as it came")
        yield from _indented(body["masked"])


def _indented(value: Any) -> Iterator[str]:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    for line in text.splitlines():
        yield f"  {line}"


def _run(run: Mapping[str, Any]) -> str:
    failed = f", cause {run['error_digest']} at {run['place']}" if run["error_digest"] else ""
    calls = f", calls {', '.join(run['api'])}" if run["api"] else ""
    return (
        f"{local(run['started_at'])}  attempt {run['attempt']}: {run['outcome']} in "
        f"{run['duration_ms']:g} ms{failed}{calls}"
    )
