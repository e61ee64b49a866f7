"""A record of an act of an operator, as it is stored. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

Outcome = Literal["done", "partly", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One record of an act, as it is stored: JSON with these keys.

    `act` is the same in both records of an act; `target` is what it was done to, such as a handler;
    `filters` are those of the command, by their options' names; `numbers` count what it was done
    to, in all (`selected`) and by what became of it. `outcome` and `error` are null where the act
    only begins; `partly` is an act of which some failed.
    """

    act: str
    phase: Literal["begun", "ended"]
    verb: str
    by: str
    time: datetime
    target: str | None = None
    reason: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    outcome: Outcome | None = None
    error: str | None = None

    def encode(self) -> bytes:
        """The body of its message."""
        return json.dumps(asdict(self), default=datetime.isoformat, ensure_ascii=False).encode()


_READ: Final = TypeAdapter(AuditRecord)


def read_record(body: bytes) -> AuditRecord | None:
    """A stored record; None for what is none of ours."""
    try:
        return _READ.validate_json(body)
    except ValidationError:
        return None
