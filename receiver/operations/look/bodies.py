"""Bodies as they are shown: personal data masked, unless it is asked for. Performs no I/O."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from receiver.client.masking import MASK, masked_reply, masked_request

_MAX_PARAMETERS: Final = 200
_HEX_BYTES: Final = 16 * 1024


def shown_body(body: bytes, *, reveal: bool) -> dict[str, Any]:
    """The fields of a body in a document.

    `size_bytes`, and with `reveal` the exact bytes as `text`, or as `base64` where they are no
    text; else `masked`, what they hold without personal data: null where they are neither JSON nor
    a form, so that it cannot be known what is personal.
    """
    found: dict[str, Any] = {"size_bytes": len(body)}
    if not reveal:
        return found | {"masked": masked_body(body)}
    try:
        return found | {"text": body.decode()}
    except UnicodeDecodeError:
        return found | {"base64": base64.b64encode(body).decode()}


def hex_rows(body: bytes) -> list[str]:
    """The first bytes as a hex dump: offset, 16 bytes, and those that are ASCII as characters."""
    rows = []
    for start in range(0, min(len(body), _HEX_BYTES), 16):
        part = body[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{start:08x}  {part.hex(' '):<47}  {text}")
    return rows


def masked_body(body: bytes) -> Any:
    """JSON, or the parameters of a form by name, masked; None for anything else."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _masked_form(text)
    return masked_reply(value) if isinstance(value, dict | list) else None


def shown_data(body: bytes, *, reveal: bool) -> Any:
    """The data of an event, masked without `reveal`; None where it is no JSON."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if reveal else _without_texts(masked_reply(data))


def _without_texts(value: Any) -> Any:
    """Masked, too, are the carriers' texts on the way of a parcel: they name who brings it."""
    if isinstance(value, dict):
        return {
            name: MASK if name == "description" and part else _without_texts(part)
            for name, part in value.items()
        }
    return [_without_texts(part) for part in value] if isinstance(value, list) else value


def _masked_form(text: str) -> Mapping[str, Any] | None:
    try:
        pairs = parse_qsl(text, strict_parsing=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    masked: Mapping[str, Any] = masked_request(dict(pairs))
    return masked
