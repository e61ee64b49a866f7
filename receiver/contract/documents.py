"""What the receiver serves about itself, ready to send."""

from __future__ import annotations

import json
from typing import Any

from receiver.bus.subjects import Subjects
from receiver.contract.asyncapi import asyncapi
from receiver.contract.openapi import openapi


def documents(subjects: Subjects, *, nats_url: str, server: str) -> dict[str, bytes]:
    """The JSON of each document by its path; `server` is the URL by which senders reach us."""
    return {
        "/asyncapi.json": _json(asyncapi(subjects, nats_url=nats_url)),
        "/openapi.json": _json(openapi(server=server)),
    }


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
