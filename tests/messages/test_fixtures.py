"""Every row of the platforms' tables makes its event, field for field.

The bodies are made from the pages' field tables; what is expected was written by hand beside them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from receiver.bus.callback_codec import encode_callback
from receiver.bus.codec import decode_event
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.settings import SourceSettings
from tests.every import every

FILES = sorted((Path(__file__).parents[1] / "fixtures" / "messages").glob("*/*.json"))
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SUBJECTS = Subjects()


@every(FILES)
def test_a_message_makes_exactly_its_events(file: Path) -> None:
    fixture: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    source = SourceSettings(name="s", dialect=fixture["dialect"], verification="none")
    request = InboundRequest(source, (), fixture["body"].encode(), NOW)
    verified = VerifiedRequest(request, Proof("none"))
    callback = DIALECTS[source.dialect].parse(verified)
    assert isinstance(callback, Callback)
    assert callback.message_type == fixture["message_type"]
    assert (list(callback.faults), list(callback.unknown_fields)) == ([], [])
    raw, *messages = encode_callback(verified, callback, SUBJECTS)
    assert raw.body == fixture["body"].encode()
    events = [decode_event(message.headers, message.body) for message in messages]
    made = [
        {
            "type": event.event_type,
            "key": message.subject.rpartition(".")[2],
            "time": event.time,
            "data": json.loads(message.body),
        }
        for event, message in zip(events, messages, strict=True)
    ]
    expected = [
        event | {"time": datetime.fromisoformat(event["time"])} for event in fixture["events"]
    ]
    assert made == expected
