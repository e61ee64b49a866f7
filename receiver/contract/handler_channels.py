"""What handlers and operators leave behind, in the words of AsyncAPI: dead letters, records of runs
and of acts.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from receiver.bus.audit_record import AuditRecord
from receiver.bus.subjects import NO_KEY, Subjects
from receiver.worker.run_records import RunRecord

_TEXT: Final = {"type": "string"}
_HANDLER: Final = {"description": "The name of the handler.", "examples": ["fetch_tracking"]}
_FINGERPRINT: Final = {
    "description": "The first 12 hex digits of SHA-256 over the error's qualified name, a newline, "
    "and the module and function that it arose in: one cause, one subject.",
    "examples": ["0a1b2c3d4e5f"],
}
_VERB: Final = {"description": "What was done.", "examples": ["handlers-pause", "replay"]}
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
    "yizhan-subject": "The subject on which the event is stored.",
    "yizhan-streamseq": "The sequence of the event in its stream.",
    "yizhan-time": "When the handler gave up.",
}


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
        "operatorAct": {
            "address": f"{subjects.root}.audit.{{verb}}",
            "title": "act of an operator",
            "summary": f"What an operator did, in the stream {subjects.audit_stream}.",
            "description": "One record before the act begins, one at its end.",
            "parameters": {"verb": _reference("parameters", "verb")},
            "messages": {"operatorAct": _reference("messages", "operatorAct")},
        },
    }


def handler_operations() -> dict[str, Any]:
    """The operations by name."""
    return {
        f"send{name[0].upper()}{name[1:]}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        }
        for name in ("deadLetter", "handlerRun", "operatorAct")
    }


def handler_components() -> dict[str, dict[str, Any]]:
    """Their messages, parameters and schemas by name."""
    required = ["Nats-Msg-Id", "yizhan-handler", "yizhan-reason", "yizhan-attempts"]
    headers = {name: _TEXT | {"description": text} for name, text in _LETTER_HEADERS.items()}
    schemas = {
        "RunRecord": TypeAdapter(RunRecord).json_schema(),
        "AuditRecord": TypeAdapter(AuditRecord).json_schema(),
    }
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
            "operatorAct": {
                "title": "act of an operator",
                "contentType": "application/json",
                "payload": _reference("schemas", "AuditRecord"),
            },
        },
        "parameters": {"handler": _HANDLER, "fingerprint": _FINGERPRINT, "verb": _VERB},
        "schemas": schemas,
    }


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
