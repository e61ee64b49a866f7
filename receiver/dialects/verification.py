"""The one way from an inbound request to a verified one. Performs no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from receiver.callback import InboundRequest, Proof, VerifiedRequest
from receiver.dialects.credentials import same_text
from receiver.dialects.dialect import Dialect
from receiver.dialects.representation import is_coded, readable
from receiver.errors import VerificationError

MAX_BYTES: Final = 1024 * 1024


def check_path_token(request: InboundRequest) -> None:
    """Refuse a delivery that did not come to the secret URL; raises `VerificationError`."""
    expected = request.source.path_token
    if expected is None or not request.source.checks_path_token:
        return
    if not request.path_token:
        raise VerificationError("missing_path_token")
    if not same_text(request.path_token, expected.get_secret_value()):
        raise VerificationError("bad_path_token")


def has_path_token(request: InboundRequest) -> bool:
    """Whether it came to the source's own URL, secret or not."""
    try:
        check_path_token(request)
    except VerificationError:
        return False
    return True


def verify(
    dialect: Dialect, request: InboundRequest, now: datetime, *, limit_bytes: int = MAX_BYTES
) -> VerifiedRequest:
    """Check what the source's `verification` asks for; raises `VerificationError`.

    With `both`, the signature is what the trust rests on; the token is needed besides. Content
    codings are undone, within `limit_bytes`, for a sender that is known, or to look whether the
    signature covers the content rather than what was sent.
    """
    check_path_token(request)
    if not request.source.checks_signature:
        proof = Proof(trust="token" if request.source.checks_path_token else "none")
        request = readable(request, limit_bytes)
        return VerifiedRequest(request, proof, dialect.identity(request, proof))
    try:
        proof = dialect.verify_signature(request, now)
    except VerificationError:
        if not (dialect.signs_body and is_coded(request)):
            raise
        request = readable(request, limit_bytes)
        proof = dialect.verify_signature(request, now)
    else:
        request = readable(request, limit_bytes)
    return VerifiedRequest(request, proof, dialect.identity(request, proof))
