"""How a run and what it makes stand in the trace of their event. No I/O.

A first run of a young event goes on with the trace in which the event was made. What runs later,
or once more, begins a trace of its own with a link: a trace that grows for days is one that no
backend shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from receiver.bus.headers import LATEST, REPLAY, decode_header
from receiver.bus.message import StoredMessage
from receiver.event import Event
from receiver.observability import trace_context
from receiver.observability.trace_context import TraceContext
from receiver.worker.routing import Handler
from receiver.worker.timers import fired_timer

if TYPE_CHECKING:
    from receiver.observability.spans import Run

YOUNG: Final = timedelta(hours=1)
"""How old an event's trace may be for a run to go on with it."""
_AGAIN: Final = frozenset({"sweep", "reparse", "replay"})
"""The origins of events that somebody asked for, who was not the platform."""


def traced_run(handler: Handler, message: StoredMessage, attempt: int, now: datetime) -> Run:
    """What the span of a run shows; `message` is the event as it was stored first, with the headers
    of the copy that is run. Call it where tracing is on.
    """
    from receiver.observability.spans import Run  # it imports OpenTelemetry

    headers = message.headers
    replay = (headers.get(REPLAY) or decode_header(headers.get("ce-replay", "")))[:64]
    kind = _kind(message, now, replay)
    attributes: dict[str, Any] = {
        "messaging.consumer.group.name": handler.durable,
        "yizhan.handler": handler.name,
        "yizhan.attempt": attempt,
        "yizhan.run": kind,
        "yizhan.stream_seq": message.stream_seq,
    }
    if replay:
        attributes["yizhan.replay"] = replay
    for name, header in _CLOUD_EVENTS.items():
        if text := headers.get(header):
            attributes[name] = decode_header(text)[:256]
    return Run(
        handler=handler.durable,
        creation=TraceContext.read(headers.get("ce-traceparent")),
        sender=TraceContext.read(headers.get("traceparent")),
        continued=kind == "live",
        attributes=attributes,
    )


_CLOUD_EVENTS: Final = {
    "messaging.message.id": "ce-id",
    "cloudevents.event_id": "ce-id",
    "cloudevents.event_source": "ce-source",
    "cloudevents.event_spec_version": "ce-specversion",
    "cloudevents.event_type": "ce-type",
    "cloudevents.event_subject": "ce-subject",
}


def _kind(message: StoredMessage, now: datetime, replay: str) -> str:
    """`live`, or why the run stands in a trace of its own."""
    headers = message.headers
    origin = headers.get("ce-origin", "push")
    if replay or origin == "replay":
        return "replay"
    if origin in _AGAIN:
        return origin
    if fired_timer(message) is not None:
        return "timer"
    if LATEST in headers:
        return "coalesced"
    return "live" if now - _made_at(headers, message) < YOUNG else "late"


def _made_at(headers: Mapping[str, str], message: StoredMessage) -> datetime:
    """When the event was made: by a handler at its own time, else when its callback came in."""
    name = "ce-time" if headers.get("ce-origin") == "handler" else "ce-receivedtime"
    try:
        made_at = datetime.fromisoformat(headers.get(name, ""))
    except ValueError:
        return message.stored_at
    return made_at if made_at.tzinfo else message.stored_at


def made_in_trace(cause: Event[Any]) -> dict[str, Any]:
    """The trace attributes of an event that the run under way makes of `cause`: those of its span
    where there is one, else the last hop of the cause.
    """
    at = trace_context.current()
    if at is None:
        return {"traceparent": cause.traceparent}
    return {"traceparent": at.traceparent, "extensions": {"traceparent": at.traceparent}}
