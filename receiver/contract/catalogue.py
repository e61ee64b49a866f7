"""The catalogue of events: what each is, where it goes, what makes it, what it looks like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import getdoc
from typing import Any, Final

from receiver.bus.codec import data_schema, encode_event
from receiver.bus.subjects import Subjects
from receiver.callback import Trust, callback_id
from receiver.event import Event
from receiver.messages.catalogue import PlatformMessage, messages_of
from receiver.settings import DialectName, Verification
from schemas.events import EVENT_MODELS, EventData
from schemas.examples import EXAMPLES
from schemas.json_schema import event_schema
from schemas.times import CHINA

SIGNATURE_TRUST: Final[dict[DialectName, Trust]] = {
    "xport": "headers",
    "aop": "body",
    "global": "body",
}
"""What a valid signature of a dialect proves."""

_OWN_TIMES: Final = ("changed_at", "paid_at", "created_at")
_TIME: Final = datetime(2026, 1, 31, 21, tzinfo=CHINA)
_DELAY: Final = timedelta(milliseconds=1250)
_SOURCE: Final = "pandapon"
_HANDLERS: Final = {"logistics.tracked": "fetch_tracking"}
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def trust_of(dialect: DialectName, verification: Verification) -> Trust:
    """What `ce-trust` says of an event that came in by this dialect and verification mode."""
    if verification in {"signature", "both"}:
        return SIGNATURE_TRUST[dialect]
    return "token" if verification == "path_token" else "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event type. `messages` is empty for what only handlers make."""

    model: type[EventData]
    subjects: Subjects

    @property
    def event_type(self) -> str:
        """`order.created`; on the wire it is `yizhan.order.created.v1`."""
        return self.model.event_type

    @property
    def description(self) -> str:
        """What happened, in one line."""
        return (getdoc(self.model) or "").partition("\n")[0]

    @property
    def pattern(self) -> str:
        """The subject, with its variable tokens named."""
        return f"{self.subjects.root}.events.<channel>.{self.event_type}.<order id>"

    @property
    def filter(self) -> str:
        """What to subscribe to for every event of the type."""
        return self.subjects.events_of_type(self.event_type)

    @property
    def messages(self) -> tuple[PlatformMessage, ...]:
        """The platform messages it is made from."""
        return messages_of(self.event_type)

    @property
    def origin_text(self) -> str:
        """The platform messages it is made from, or that a handler makes it, as text."""
        senders = [f"{message.title} ({', '.join(message.dialects)})" for message in self.messages]
        if self.event_type == "unknown.received":
            senders.append("any other message that was verified")
        return ", ".join(senders) or "a handler, from a reply of the platform's API"

    def document(self) -> dict[str, Any]:
        """All of this as JSON."""
        return {
            "event_type": self.event_type,
            "description": self.description,
            "subject": self.pattern,
            "subscribe": self.filter,
            "made_from": [
                {"message": message.title, "dialects": list(message.dialects)}
                for message in self.messages
            ],
            "example": self.example()["data"],
        }

    def example(self) -> dict[str, Any]:
        """A complete message: `subject`, `headers` and `data`, encoded as a real one is."""
        message = encode_event(example_event(self.model), self.subjects)
        return {
            "subject": message.subject,
            "headers": dict(message.headers),
            "data": json.loads(message.body),
        }


def catalogue(subjects: Subjects) -> tuple[Entry, ...]:
    """Every event type, below the subject root of the settings."""
    return tuple(Entry(model, subjects) for model in EVENT_MODELS)


def example_event(model: type[EventData]) -> Event[EventData]:
    """The example of an event type with the attributes that it would have."""
    data = EXAMPLES[model.event_type]
    time = next((t for name in _OWN_TIMES if (t := getattr(data, name, None))), _TIME)
    cause = callback_id(_SOURCE, model.event_type.encode())
    made = not messages_of(model.event_type)
    handler = _HANDLERS.get(model.event_type, "sync")
    return Event(
        id=f"{cause}.0.{handler}.0" if made else f"{cause}.0",
        source=_SOURCE,
        time=time,
        received_at=(time + _DELAY).astimezone(UTC),
        data=data,
        callback_id=cause,
        trust="requeried" if made else "headers",
        origin="handler" if made else "push",
        causation_id=f"{cause}.0" if made else None,
        traceparent=_TRACEPARENT,
    )


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every event type, by its file name (`order.created.v1.json`)."""
    return {
        f"{model.event_type}.v1.json": event_schema(model, data_schema(model.event_type))
        for model in EVENT_MODELS
    }


def examples(subjects: Subjects) -> dict[str, dict[str, Any]]:
    """A complete message of every event type, by its file name (`order.created.json`)."""
    return {f"{entry.event_type}.json": entry.example() for entry in catalogue(subjects)}


def catalogue_text(subjects: Subjects) -> str:
    """The catalogue for a terminal: one block an event type."""
    return "\n\n".join(map(_block, catalogue(subjects))) + "\n"


def _block(entry: Entry) -> str:
    example = json.dumps(entry.example()["data"], ensure_ascii=False)
    return "\n".join(
        (
            entry.event_type,
            f"  {entry.description}",
            f"  subject    {entry.pattern}",
            f"  subscribe  {entry.filter}",
            f"  made from  {entry.origin_text}",
            f"  example    {example}",
        )
    )
