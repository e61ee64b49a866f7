"""What every input goes through, and what must hold whatever it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import SecretStr

from receiver.bus.callback_codec import encode_callback, encode_quarantined
from receiver.bus.codec import decode_event
from receiver.bus.subjects import Subjects
from receiver.callback import Fault, InboundRequest
from receiver.dialects import DIALECTS
from receiver.dialects.verification import verify
from receiver.errors import MalformedCallbackError, VerificationError
from receiver.settings import DialectName, SourceSettings

NAMES: Final[tuple[DialectName, ...]] = ("xport", "aop", "global")
SLOW_S: Final = 0.050
NOW: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
_SUBJECTS: Final = Subjects()
_SIGNED: Final = {
    name: SourceSettings(
        name="s",
        dialect=name,
        verification="signature",
        access_key="key",
        secrets=(SecretStr("secret"),),
    )
    for name in NAMES
}
_OPEN: Final = {name: SourceSettings(name="s", dialect=name, verification="none") for name in NAMES}

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Case:
    """One input."""

    dialect: DialectName
    headers: Headers
    body: bytes


def run(case: Case) -> float:
    """Put one input through; gives the seconds it took. Any exception is a finding."""
    started = time.perf_counter()
    dialect = DIALECTS[case.dialect]
    with suppress(VerificationError):
        verify(dialect, _request(_SIGNED[case.dialect], case), NOW)
    verified = verify(dialect, _request(_OPEN[case.dialect], case), NOW)
    try:
        callback = dialect.parse(verified)
    except MalformedCallbackError as error:
        encode_quarantined(verified, Fault(error.place, error.reason), _SUBJECTS)
    else:
        _, *events = encode_callback(verified, callback, _SUBJECTS)
        for message in events:
            decoded = decode_event(message.headers, message.body)
            assert len(message.subject.split(".")) == 6, message.subject
            assert all(map(_tame, message.headers.values())), message.headers
            assert decoded.id == message.msg_id
    return time.perf_counter() - started


def _request(source: SourceSettings, case: Case) -> InboundRequest:
    return InboundRequest(source, case.headers, case.body, NOW)


def _tame(value: str) -> bool:
    return value.isascii() and value.isprintable()
