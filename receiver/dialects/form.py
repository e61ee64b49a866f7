"""A form as servlet containers and PHP read it: lenient where nothing is lost. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from receiver.errors import MalformedCallbackError

MAX_FIELDS: Final = 64
"""A genuine form has two fields; a form bomb is refused before it is sorted or signed."""
_BOM: Final = b"\xef\xbb\xbf"
_FALLBACK: Final = "gb18030"
_STRAY: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Pairs = tuple[tuple[str, str], ...]


def readings(body: bytes) -> Iterator[Pairs]:
    """The decoded pairs in order, in each way in which senders and containers may mean them.

    A line end or a byte order mark around the form, empty pairs and raw bytes in place of `%XX` are
    taken. `+` is a space, and in a second reading itself. Raises `MalformedCallbackError` at the
    first where there is none.
    """
    fields = [field for field in body.strip(b"\r\n \t").removeprefix(_BOM).split(b"&") if field]
    if len(fields) > MAX_FIELDS:
        raise MalformedCallbackError("too many fields", place="form")
    yield _pairs([field.replace(b"+", b" ") for field in fields])
    if b"+" in body:
        yield _pairs(fields)


def first_reading(body: bytes) -> Pairs:
    """The usual reading; raises `MalformedCallbackError`."""
    return next(readings(body))


def _pairs(fields: list[bytes]) -> Pairs:
    split = [field.partition(b"=") for field in fields]
    return tuple((_decoded(name), _decoded(value)) for name, _, value in split)


def _unquoted(text: bytes) -> bytes:
    """`%XX` undone; a `%` of nothing stays.

    By Python's codec for escapes, in one pass: `urllib.parse.unquote_to_bytes` takes a third of a
    second for a MiB of them.
    """
    if b"%" not in text:
        return text
    escaped = _STRAY.sub(b"%25", text).replace(b"\\", b"\\\\").replace(b"%", b"\\x")
    return escaped.decode("unicode_escape").encode("latin-1")


def _decoded(text: bytes) -> str:
    """UTF-8, or the encoding of Chinese senders that is not."""
    data = _unquoted(text)
    for encoding in ("utf-8", _FALLBACK):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise MalformedCallbackError("not a UTF-8 form", place="form")
