"""One stored message as one line of an export, and back, byte for byte. No I/O.

An event, and a letter, is CloudEvents JSON (structured mode); any other message is a JSON object
that holds `yizhan` alone. That member says where the message was stored and has all of its headers;
the body is `data`, whose bytes are counted in `bytes` and stand at the end of the line as they were
stored, or else `data_base64` of the member.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt, ValidationError

from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.errors import DecodingError

_DATA: Final = b',"data":'
_SUBJECT: Final = re.compile(r"[^\s*>.]+(\.[^\s*>.]+)+")
_NAME: Final = re.compile(r"[!-9;-~]+")


class Line(NamedTuple):
    """A message as it was stored in `stream`."""

    stream: str
    stored: StoredMessage


class _Member(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    stream: str
    seq: PositiveInt
    stored_at: AwareDatetime
    subject: str
    headers: dict[str, str]
    data_base64: str | None = None
    bytes: PositiveInt | None = None


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    yizhan: _Member


def encode_line(line: Line) -> bytes:
    """The line, with its end."""
    stored = line.stored
    member: dict[str, Any] = {
        "stream": line.stream,
        "seq": stored.stream_seq,
        "stored_at": stored.stored_at.astimezone(UTC).isoformat(),
        "subject": stored.nats_subject,
        "headers": dict(stored.headers),
    }
    if "ce-specversion" in stored.headers and _is_json_line(stored.body):
        member["bytes"] = len(stored.body)
        head = json.dumps({**_attributes(stored), "yizhan": member}, separators=(",", ":"))
        return b"%b%b%b}\n" % (head.encode()[:-1], _DATA, stored.body)
    member["data_base64"] = base64.b64encode(stored.body).decode()
    return json.dumps({"yizhan": member}, separators=(",", ":")).encode() + b"\n"


def decode_line(raw: bytes) -> Line:
    """What `encode_line` was given; `raw` has no line break at its end. Raises `DecodingError`."""
    try:
        member = _Line.model_validate_json(raw).yizhan
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise DecodingError(f"no line of an export: {place}: {first['type']}") from None
    if not _SUBJECT.fullmatch(member.subject):
        raise DecodingError("no line of an export: yizhan.subject: no subject")
    for name, text in member.headers.items():
        if not _NAME.fullmatch(name) or "\r" in text or "\n" in text:
            raise DecodingError("no line of an export: yizhan.headers: no header")
    stored = StoredMessage(
        member.subject, member.headers, _body(member, raw), member.seq, member.stored_at
    )
    return Line(member.stream, stored)


def _body(member: _Member, raw: bytes) -> bytes:
    if member.data_base64 is not None:
        try:
            return base64.b64decode(member.data_base64, validate=True)
        except binascii.Error:
            raise DecodingError("no line of an export: yizhan.data_base64: no base64") from None
    start = len(raw) - 1 - (member.bytes or 0)
    if member.bytes is None or start < 0 or not raw[:start].endswith(_DATA):
        raise DecodingError("its data is not as it was written: the line was changed")
    return raw[start:-1]


def _attributes(stored: StoredMessage) -> dict[str, str]:
    """Those of CloudEvents, by their names there."""
    return {
        name.removeprefix("ce-"): decode_header(text)
        for name, text in stored.headers.items()
        if name.startswith("ce-") or name == "traceparent"
    }


def _is_json_line(body: bytes) -> bool:
    """Whether it can stand in a line of JSON as it is."""
    if b"\n" in body or b"\r" in body:
        return False
    try:
        json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)


def stored_time(text: str) -> datetime | None:
    """The time that a header of an imported message names; None where it names none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
