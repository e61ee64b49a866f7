"""What kind of id a text looks like, to say where else to look. Performs no I/O."""

from __future__ import annotations

import re
from typing import Final

_KINDS: Final = (
    (r"#\d+", "the sequence of a message in the stream", "yizhan event '{0}'"),
    (r"[0-9a-f]{32}\.\d+", "an event id", "yizhan event {0}"),
    (
        r"[0-9a-f]{32}\.\d+(\.[^.\s]+\.\d+)+",
        "the id of an event that a handler made",
        "yizhan event {0}",
    ),
    (r"[0-9a-f]{32}", "a callback id", "yizhan callback {0}"),
    (r"[0-9a-f]{32}", "a fact id", "yizhan tail --since 24h --fact {0}"),
    (r"[0-9a-f]{12}", "the fingerprint of a cause of dead letters", "yizhan dead list --cause {0}"),
    (r"(yizhan\.)?[a-z]+\.[a-z_]+(\.v\d+)?", "an event type", "yizhan tail --type {0}"),
    (r"\d{16,20}", "an order id", "yizhan order {0}"),
    (r"\d{10,15}|[A-Z]{2,4}\d{8,18}", "a waybill number", "yizhan order {0}"),
    (r"TQ\d{8,}", "a refund id", "yizhan order {0}"),
)


def hint(text: str, *, tried: str = "") -> str:
    """A sentence that says what kinds of id `text` may be, and what looks for each; or empty.

    The command `tried` is not named again.
    """
    said = []
    for pattern, kind, command in _KINDS:
        if re.fullmatch(pattern, text):
            again = tried and command.startswith(f"{tried} ")
            said.append(kind if again else f"{kind} (`{command.format(text)}`)")
    return f"it looks like {', or '.join(said)}" if said else ""
