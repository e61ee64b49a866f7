"""Header lines of our messages: names, and values as CloudEvents encodes them. No I/O."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

CONTENT: Final = "yizhan-content"
UNKNOWN_FIELDS: Final = "yizhan-unknownfields"
UNKNOWN_TYPE: Final = "yizhan-unknowntype"
STARTS: Final = "yizhan-starts"
FAILURES: Final = "yizhan-failures"
"""How often an event that a handler put off was run by it, and how often that failed."""
TIMER: Final = "yizhan-timer"
"""The key, encoded, of the timer that an event came in time for."""
FIRED_SEQ: Final = "yizhan-firedseq"
"""The sequence of the copy that fired, in a retry of it."""
SET_BY: Final = "yizhan-setby"
"""Of a timer that the run of a timer set: the sequence of what that run is of."""
FORCED: Final = "yizhan-forced"
"""Of what a replay gives that has effects happen again: what they are claimed under beside."""
REPLAY: Final = "yizhan-replay"
"""Of what a replay gives: its name and its plan, as `<name>.<plan>`: names come again."""
LATEST: Final = "yizhan-latest"
"""When an event that waits for a newer one of its order is run, however many come."""
STORED_AT: Final = "yizhan-storedat"
"""When an imported message was stored first."""
IMPORTED_FROM: Final = "yizhan-importedfrom"
"""Where: the stream, when that was made, and the sequence there."""
_UNSAFE: Final = re.compile(r"[^\x21\x23\x24\x26-\x7e]")


def encode_header(value: str) -> str:
    """Percent-encode what CloudEvents does not allow in a header: space, `"`, `%`, non-ASCII."""
    if value.isascii() and value.isalnum():  # as most are
        return value
    return _UNSAFE.sub(_percent, value)


def decode_header(value: str) -> str:
    """The text that `encode_header` was given; what it could not have made is read as it can be."""
    if "%" not in value:
        return value
    try:
        return unquote(value, errors="surrogatepass")
    except UnicodeDecodeError:
        return unquote(value, errors="replace")


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))


def one_line(text: str) -> str:
    """What we made ourselves, as it is; what a foreign event made us make may need encoding."""
    return text if text.isascii() and text.isprintable() else encode_header(text)


def header_line(name: str, text: str | None) -> str:
    """The header line of a foreign word; none where it is absent."""
    return f"{name}: {encode_header(text)}\r\n" if text else ""


usual_line: Final = lru_cache(maxsize=256)(header_line)
"""`header_line` of what comes again and again, such as a message type or a client."""
