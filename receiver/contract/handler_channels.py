"""What handlers leave behind, in the words of AsyncAPI: letters, records of runs, schedules."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from receiver.bus.subjects import NO_KEY, Subjects
from receiver.worker.run_records import RunRecord

_TEXT: Final = {"type": "string"}
_HANDLER: Final = {"description": "The name of the handler.", "examples": ["fetch_tracking"]}
_FINGERPRINT: Final = {
    "description": "The first 12 hex digits of SHA-256 over the error's qualified name, a newline, "
    "and the module and function that it arose in: one cause, one subject.",
    "examples": ["0a1b2c3d4e5f"],
}
_LETTER_HEADERS: Final = {
    "Nats-Msg-Id": "Names this burial: what is run again and fails again is another letter.",
    "yizhan-handler": "The handler.",
    "yizhan-reason": "The error, percent-encoded like every text here.",
    "yizhan-place": "Where it arose, as module.function:line.",
    "yizhan-traceback": "Python's traceback, without local variables; absent where texts are off.",
    "yizhan-attempts": "Which attempt was the last.",
    "yizhan-history": "The last ten attempts as JSON: time, digest, place of each.",
    "yizhan-factid": "The fact id of the event.",
    "yizhan-codeversion": "A digest of the file that the handler stands in.",
    "yizhan-timer": "The key of the timer that the run was of, if it was of one.",
    "yizhan-subject": "The subject on which the event is stored.",
    "yizhan-streamseq": "The sequence of the event in its stream.",
    "yizhan-time": "When the handler gave up.",
}
_COPY_HEADERS: Final = {
    "yizhan-subject": "The subject on which the event is stored.",
    "yizhan-streamseq": "The sequence of the event in its stream.",
    "yizhan-starts": "Of a retry: how often the event was run.",
    "yizhan-failures": "Of a retry: how many of these runs failed.",
    "yizhan-firedseq": "Of a retry of what had fired: the sequence of that.",
    "yizhan-timer": "Of a timer: its key.",
    "yizhan-setby": "Of a timer that the run of a timer set: the sequence of what had fired.",
    "yizhan-history": "Of a dead letter that was given back: its attempts.",
    "yizhan-latest": "Of what waits for a newer event: when it is run in any case.",
}
"""What a copy of an event has beside the event's own headers."""
_SCHEDULE_HEADERS: Final = {
    "Nats-Schedule": "When it fires: `@at` and a time.",
    "Nats-Schedule-Target": "Where it is published to then.",
    "Nats-Schedule-TTL": "For how long the stream keeps what has fired.",
}
_SCHEDULE_KIND: Final = {
    "description": "What waits: a retry, or a timer of the handler.",
    "examples": ["retry", "timer"],
}
_SCHEDULE_NAME: Final = {
    "description": "Of a retry `<stream sequence>-<runs>`, of a timer made from its key.",
    "examples": ["1200-3", "unpaid"],
}
_NAMES: Final = ("deadLetter", "handlerRun", "schedule", "coalescing", "dueEvent")


def handler_channels(subjects: Subjects) -> dict[str, Any]:
    """The channels by name."""
    letter = f"{subjects.root}.dead.{{handler}}.{{fingerprint}}"
    run = f"{subjects.root}.runs.{{handler}}.{{channel}}.{{order_id}}"
    shared = {"handler": _reference("parameters", "handler")}
    return {
        "deadLetter": {
            "address": letter,
            "title": "dead letter",
            "summary": f"An event that a handler gave up on, in the stream {subjects.dead_stream}.",
            "parameters": shared | {"fingerprint": _reference("parameters", "fingerprint")},
            "messages": {"deadLetter": _reference("messages", "deadLetter")},
        },
        "handlerRun": {
            "address": run,
            "title": "run of a handler",
            "summary": f"What one run of a handler did, in the stream {subjects.runs_stream}.",
            "description": f"The key is `{NO_KEY}` where the event has no order. The last seconds "
            "before a crash may be missing.",
            "parameters": shared
            | {name: _reference("parameters", name) for name in ("channel", "order_id")},
            "messages": {"handlerRun": _reference("messages", "handlerRun")},
        },
        **_schedules(subjects),
    }


def _schedules(subjects: Subjects) -> dict[str, Any]:
    key = ("{channel}", "{order_id}")
    return {
        "schedule": {
            "address": subjects.schedule("{kind}", "{handler}", *key, "{name}"),
            "title": "schedule",
            "summary": "A copy of an event that waits to be run again; a later one replaces it.",
            "parameters": _parameters("kind", "handler", "channel", "order_id", "name"),
            "messages": {"schedule": _reference("messages", "schedule")},
        },
        "coalescing": {
            "address": subjects.schedule("coalesce", "{handler}", *key, ""),
            "title": "coalescing event",
            "summary": "A copy of the newest event of an order, which is run when none comes.",
            "parameters": _parameters("handler", "channel", "order_id"),
            "messages": {"coalescing": _reference("messages", "schedule")},
        },
        "dueEvent": {
            "address": subjects.due("{handler}", *key),
            "title": "due event",
            "summary": "A copy of an event whose time has come, for one handler.",
            "description": "Stored as long as an event, and not given to plain subscribers.",
            "parameters": _parameters("handler", "channel", "order_id"),
            "messages": {"dueEvent": _reference("messages", "dueEvent")},
        },
    }


def _parameters(*names: str) -> dict[str, Any]:
    return {name: _reference("parameters", name) for name in names}


def handler_operations() -> dict[str, Any]:
    """The operations by name."""
    return {
        f"send{name[0].upper()}{name[1:]}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        }
        for name in _NAMES
    }


def handler_components() -> dict[str, dict[str, Any]]:
    """Their messages, parameters and schemas by name."""
    required = ["Nats-Msg-Id", "yizhan-handler", "yizhan-reason", "yizhan-attempts"]
    headers = {name: _TEXT | {"description": text} for name, text in _LETTER_HEADERS.items()}
    record = TypeAdapter(RunRecord).json_schema()
    return {
        "messages": {
            "deadLetter": {
                "title": "dead letter",
                "summary": "Headers and body are the event's, and the headers of the letter.",
                "headers": {"type": "object", "required": required, "properties": headers},
            },
            "handlerRun": {
                "title": "run of a handler",
                "contentType": "application/json",
                "payload": _reference("schemas", "RunRecord"),
            },
            "schedule": _copy("schedule", _SCHEDULE_HEADERS | _COPY_HEADERS),
            "dueEvent": _copy("due event", _COPY_HEADERS),
        },
        "parameters": {
            "handler": _HANDLER,
            "fingerprint": _FINGERPRINT,
            "kind": _SCHEDULE_KIND,
            "name": _SCHEDULE_NAME,
        },
        "schemas": {"RunRecord": record},
    }


def _copy(title: str, described: dict[str, str]) -> dict[str, Any]:
    required = [name for name in described if name in {"yizhan-subject", *_SCHEDULE_HEADERS}]
    headers = {name: _TEXT | {"description": text} for name, text in described.items()}
    return {
        "title": title,
        "summary": "Headers and body are the event's, and headers of the copy.",
        "headers": {"type": "object", "required": required, "properties": headers},
    }


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
