"""The one way from an inbound request to a verified one (design, section 2). Performs no I/O."""

from __future__ import annotations

from datetime import datetime

from receiver.callback import InboundRequest, Proof, VerifiedRequest
from receiver.dialects.credentials import same_text
from receiver.dialects.dialect import Dialect
from receiver.errors import VerificationError


def check_path_token(request: InboundRequest) -> None:
    """Refuse a delivery that did not come to the secret URL; raises `VerificationError`."""
    expected = request.source.path_token
    if expected is None or not request.source.checks_path_token:
        return
    if not request.path_token:
        raise VerificationError("missing_path_token")
    if not same_text(request.path_token, expected.get_secret_value()):
        raise VerificationError("bad_path_token")


def verify(dialect: Dialect, request: InboundRequest, now: datetime) -> VerifiedRequest:
    """Check what the source's `verification` asks for; raises `VerificationError`.

    With `both`, the signature is what the trust rests on; the token is needed besides.
    """
    check_path_token(request)
    if request.source.checks_signature:
        proof = dialect.verify_signature(request, now)
    else:
        proof = Proof(trust="token" if request.source.checks_path_token else "none")
    return VerifiedRequest(request, proof, dialect.said(request.body))
