"""How the platforms sign; pure functions of text and bytes, used by verifiers and by senders.

Sources of the rules: docs/platform/callbacks.md#signature-of-xport, and of calls
docs/platform/api.md#signature-of-a-call; docs/platform/callbacks.md#signature-of-aop;
docs/platform/callbacks.md#signature-of-global.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def xport_signature(access_key: str, timestamp: str, nonce: str, secret: str) -> str:
    """UPPERHEX(MD5(access-key + timestamp + nonce-str + secret)): callbacks in and API calls out.

    The body is not covered. MD5 is the platform's choice, not ours.
    """
    text = f"{access_key}{timestamp}{nonce}{secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def aop_signature(parameters: Iterable[tuple[str, str]], secret: str) -> str:
    """UPPERHEX(HMAC-SHA1(secret, sorted key+value pairs joined)) over a form.

    `parameters` are the form's pairs, decoded; `_aop_signature` itself is left out here.
    """
    pairs = sorted(key + value for key, value in parameters if key != "_aop_signature")
    text = "".join(pairs).encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), text, hashlib.sha1).hexdigest().upper()


def global_signature(app_key: str, body: bytes, secret: str) -> str:
    """hex(HMAC-SHA256(app secret, app key + raw body)): the header `Authorization`."""
    return hmac.new(secret.encode(), app_key.encode() + body, hashlib.sha256).hexdigest()


def standard_webhooks_headers(
    message_id: str, timestamp: int, body: bytes, keys: Iterable[bytes]
) -> dict[str, str]:
    """The three headers of Standard Webhooks (https://www.standardwebhooks.com), with a signature
    by each key, for what we send.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    digests = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(d).decode()}" for d in digests),
    }
