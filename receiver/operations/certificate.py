"""When a certificate expires, read from its PEM file: `ssl` says so of a peer's alone."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_VERSION: Final = 0xA0
_FORMS: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
"""UTCTime and GeneralizedTime (RFC 5280, 4.1.2.5)."""
_LONG: Final = 0x80


def expires_at(file: Path) -> datetime | None:
    """Of the first certificate in it, which is the server's own; None where none can be read."""
    try:
        text = file.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]
        return _not_after(ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{text}{_END}"))
    except (OSError, ValueError, LookupError):
        return None


def _not_after(der: bytes) -> datetime:
    """`tbsCertificate.validity.notAfter` (RFC 5280, 4.1): of the fields, version may be absent."""
    (_, certificate), *_ = _parts(der)
    (_, signed), *_ = _parts(certificate)
    fields = list(_parts(signed))
    _, validity = fields[4 if fields[0][0] == _VERSION else 3]
    tag, text = list(_parts(validity))[1]
    return datetime.strptime(text.decode("ascii"), _FORMS[tag]).replace(tzinfo=UTC)


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size >= _LONG:
            count = size - _LONG
            size, at = int.from_bytes(der[at : at + count]), at + count
        yield tag, der[at : at + size]
        at += size
