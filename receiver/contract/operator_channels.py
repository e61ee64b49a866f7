"""What operators leave behind, in the words of AsyncAPI: records of their acts."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from receiver.bus.audit_record import AuditRecord
from receiver.bus.subjects import Subjects

_ACT: Final = "operatorAct"


def operator_channels(subjects: Subjects) -> dict[str, Any]:
    """The channels by name."""
    return {
        _ACT: {
            "address": f"{subjects.root}.audit.{{verb}}",
            "title": "act of an operator",
            "summary": f"What an operator did, in the stream {subjects.audit_stream}.",
            "description": "One record before the act begins, one at its end.",
            "parameters": {"verb": {"$ref": "#/components/parameters/verb"}},
            "messages": {_ACT: {"$ref": f"#/components/messages/{_ACT}"}},
        }
    }


def operator_operations() -> dict[str, Any]:
    """The operations by name."""
    return {
        "sendOperatorAct": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{_ACT}"},
            "messages": [{"$ref": f"#/channels/{_ACT}/messages/{_ACT}"}],
        }
    }


def operator_components() -> dict[str, dict[str, Any]]:
    """Their messages, parameters and schemas by name."""
    return {
        "messages": {
            _ACT: {
                "title": "act of an operator",
                "contentType": "application/json",
                "payload": {"$ref": "#/components/schemas/AuditRecord"},
            }
        },
        "parameters": {
            "verb": {"description": "What was done.", "examples": ["handlers-pause", "replay"]}
        },
        "schemas": {"AuditRecord": TypeAdapter(AuditRecord).json_schema()},
    }
