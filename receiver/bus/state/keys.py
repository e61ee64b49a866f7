"""Names of entries in the state stream: tokens with dots between, as a NATS KV bucket takes them.

    order.<channel>.<order id>
    effect.<handler>.<fact id or a key of the handler's own>.<name>[.<plan of a forced replay>]
    snooze.<handler>.<cause of dead letters>       (receiver.operations.look.snoozes)
    number.<field>.<number>.<channel>.<order id>   (receiver.bus.state.numbers)

No I/O.
"""

from __future__ import annotations

import hashlib
from typing import Final

from receiver.bus.subjects import encode_token

MAX_TOKEN: Final = 128
"""Characters of a token; the server reads no line beyond 4,096 bytes."""
_DIGEST: Final = "=h"
"""Begins a token that stands for a longer one. No encoded text has it: `=` is followed by two
hexadecimal digits there."""


def order_key(channel: str, order_id: str) -> str:
    """Where the state of an order is."""
    return f"order.{key_token(channel)}.{key_token(order_id)}"


def effect_key(handler: str, fact: str, name: str, forced: str = "") -> str:
    """Where it is kept what became of an effect; `fact` is the fact id, or a key of one's own.

    Under a replay that is `forced` it is another effect.
    """
    again = f".{key_token(forced)}" if forced else ""
    return f"effect.{key_token(handler)}.{key_token(fact)}.{key_token(name)}{again}"


def key_token(text: str | None) -> str:
    """Any text as one token of a key; `_` stands for none.

    It is encoded as in subjects, with `=` for the `%` that KV buckets refuse. What would be longer
    than `MAX_TOKEN` is a digest: the same text has the same token, which does not say the text.
    """
    token = encode_token(text).replace("%", "=")
    if len(token) <= MAX_TOKEN:
        return token
    data = (text or "").encode(errors="surrogatepass")
    return _DIGEST + hashlib.sha256(data).hexdigest()
