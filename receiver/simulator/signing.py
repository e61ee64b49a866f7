"""How a push is sent in each dialect: the bytes, the headers, and by what a receiver knows it.

docs/platform/callbacks.md#the-three-dialects. Performs no I/O.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import urlencode

from receiver.signatures import aop_signature, global_signature, xport_signature

DialectName = Literal["xport", "aop", "global"]
DIALECTS: Final[tuple[DialectName, ...]] = get_args(DialectName)
"""Whose callbacks can be played."""


@dataclass(frozen=True, slots=True)
class Account:
    """With what the platform signs. `source_name` is the receiver's name for us: its ids are made
    from it, and only the counting here needs it."""

    access_key: str
    secret: str
    user_id: str = "10001"
    source_name: str = "dev"
    dialect: DialectName = "xport"


@dataclass(frozen=True, slots=True)
class Signed:
    """One delivery as it is sent."""

    content: bytes
    headers: dict[str, str]


def signed(account: Account, body: bytes, *, now_ms: int) -> Signed:
    """`body` (the JSON of an envelope) signed anew, with the real time where one is signed."""
    match account.dialect:
        case "aop":
            form = [("message", body.decode())]
            form.append(("_aop_signature", aop_signature(form, account.secret)))
            kind = {"content-type": "application/x-www-form-urlencoded"}
            return Signed(urlencode(form).encode(), kind)
        case "global":
            signature = global_signature(account.access_key, body, account.secret)
            return Signed(body, {"content-type": "application/json", "authorization": signature})
        case _:
            return Signed(body, _headers(account, str(now_ms), secrets.token_hex(16)))


def identity_in(account: Account, body: bytes) -> bytes:
    """What a receiver makes its id of: the body, in `aop` the parameters without the signature."""
    if account.dialect != "aop":
        return body
    return json.dumps([["message", body.decode()]], separators=(",", ":")).encode()


def _headers(account: Account, timestamp: str, nonce: str) -> dict[str, str]:
    signature = xport_signature(account.access_key, timestamp, nonce, account.secret)
    return {
        "content-type": "application/json",
        "access-key": account.access_key,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "user-id": account.user_id,
        "signature": signature,
    }
