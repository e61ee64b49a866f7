"""Putting an event off for long: the server stores a copy of it in time, for one handler.

A negative acknowledgement with a delay would count as pending all that time, and hold back others
once 10,000 wait (https://github.com/nats-io/nats-server/issues/6093). A schedule waits on a subject
of its own: `<root>.schedules.retry.<handler>.<channel>.<key>.<sequence>-<start>`. One subject holds
one schedule, so that a retry that is put off twice, since a process died in between, comes once. It
carries no `Nats-Msg-Id`: the id of one that has fired would be a duplicate for hours, in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.headers import encode_header
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects, input_subject
from receiver.errors import BusError

SHORT_S: Final = 30.0
"""Up to this a negative acknowledgement with a delay does."""
_FIRED_KEPT: Final = "168h"
"""For how long the stream keeps what has fired: it is a copy."""
_ORIGIN_SUBJECT: Final = "yizhan-subject"
_ORIGIN_SEQ: Final = "yizhan-streamseq"
_ANSWER_S: Final = 5.0


def place_in_order(nats_subject: str) -> tuple[str, str]:
    """The channel and the key, encoded, of an event's subject or of that of its copy."""
    tokens = nats_subject.split(".")
    if len(tokens) > 1 and tokens[1] == "due":
        return tokens[-2], tokens[-1]
    return tokens[-4], tokens[-1]


def origin(stored: StoredMessage) -> StoredMessage:
    """The event as it was stored first, where `stored` is a copy of it that came in time."""
    seq = stored.headers.get(_ORIGIN_SEQ, "")
    if not seq.isdecimal():
        return stored
    return replace(
        stored,
        stream_seq=int(seq),
        nats_subject=stored.headers.get(_ORIGIN_SUBJECT, stored.nats_subject),
    )


async def put_off(
    connection: Connection,
    subjects: Subjects,
    handler: str,
    stored: StoredMessage,
    until: datetime,
    attempts: Mapping[str, str],
    name: str,
) -> None:
    """Have the server give `stored` to `handler` again; raises `BusError` where it will not.

    `attempts` are headers for the copy, `name` makes the schedule one of its own.
    """
    first = origin(stored)
    channel, key = place_in_order(stored.nats_subject)
    headers = {
        **_kept(stored.headers),
        **attempts,
        _ORIGIN_SUBJECT: first.nats_subject,
        _ORIGIN_SEQ: str(first.stream_seq),
        "Nats-Schedule": f"@at {until.astimezone(UTC).isoformat().replace('+00:00', 'Z')}",
        "Nats-Schedule-Target": input_subject(subjects.due(handler, channel, key)),
        "Nats-Schedule-TTL": _FIRED_KEPT,
    }
    retry = subjects.retry(handler, channel, key, f"{first.stream_seq}-{name}")
    try:
        reply = await connection.client.request(
            input_subject(retry), stored.body, _ANSWER_S, headers=headers
        )
        answer = json.loads(reply.data)
    except (NatsError, OSError, ValueError) as error:
        raise BusError(f"no schedule was stored: {type(error).__name__}") from error
    if "error" in answer:
        raise BusError(f"NATS refuses the schedule: {answer['error'].get('description')}")


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Without the server's own: they say how the original was stored."""
    return {
        name: text if text.isprintable() else encode_header(text)
        for name, text in headers.items()
        if not name.lower().startswith("nats-")
    }
