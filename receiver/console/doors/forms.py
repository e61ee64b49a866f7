"""Forms that are sent to the console: bounded, URL-encoded, read once."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Message, Receive

from receiver.console.doors.visit import RefusedError, Visit

LIMIT_BYTES: Final = 64 * 1024
_MAX_FIELDS: Final = 1000
_TYPE: Final = "application/x-www-form-urlencoded"


async def read_body(visit: Visit, receive: Receive) -> bytes:
    """The whole body of a request that changes something; raises `RefusedError` where it is larger
    than `LIMIT_BYTES`, is no URL-encoded form, or does not arrive.
    """
    length = visit.only("content-length") or "0"
    if not length.isdecimal() or int(length) > LIMIT_BYTES:
        raise RefusedError(413, f"A form has at most {LIMIT_BYTES} bytes.")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The request ended early.")
        body += message.get("body", b"")
        if len(body) > LIMIT_BYTES:
            raise RefusedError(413, f"A form has at most {LIMIT_BYTES} bytes.")
        if not message.get("more_body"):
            break
    kind = (visit.only("content-type") or "").partition(";")[0].strip().lower()
    if body and kind != _TYPE:
        raise RefusedError(415, f"A form comes as {_TYPE}.")
    return bytes(body)


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form, of several with one name the first; raises `RefusedError`."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise RefusedError(400, "The form cannot be read.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def given_again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving
