"""From the bytes of a request to a body that can be read: content codings and charsets.

Pure functions. What cannot be undone is left as it is, with a word of why: whether that matters is
seen when the body is read.
"""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from receiver.callback import InboundRequest
from receiver.errors import MalformedCallbackError

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_DEFLATE: Final = frozenset({"deflate", "x-deflate"})
_AUTO_WBITS: Final = {"gzip": (31,), "deflate": (15, -15)}
"""zlib's window bits: a gzip stream; a zlib stream, and the bare one that some senders make."""
_MAX_CODINGS: Final = 2
_USUAL_TYPES: Final = frozenset(
    {
        None,
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/json;charset=utf-8",
        b"application/x-www-form-urlencoded",
    }
)
_SAYS_NOTHING: Final = frozenset({"", "application/octet-stream"})
_WIDE_STARTS: Final = (b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{", b"\x00\x00")
_UTF8: Final = frozenset({"utf-8", "utf_8", "ascii", "us-ascii"})


def is_coded(request: InboundRequest) -> bool:
    """Whether it names a content coding that could be undone."""
    return bool(request.header(b"content-encoding")) and bool(_codings(request))


def readable(request: InboundRequest, limit_bytes: int) -> InboundRequest:
    """The request with its codings undone in `body`, and in `text` what is read, as UTF-8.

    It is the same object where there is nothing to do. `coding_fault` says what could not be
    undone: an unknown coding, a damaged stream, or more than `limit_bytes` of content.
    """
    codings = _codings(request) if request.header(b"content-encoding") else []
    content_type = request.header(b"content-type")
    if not codings and content_type in _USUAL_TYPES and not request.body.startswith(_WIDE_STARTS):
        return request
    body, fault = _undone(request.body, codings, limit_bytes)
    text = _as_utf8(body, content_type)
    if body is request.body and text is None and not fault:
        return request
    return replace(request, body=body, text=text, coding_fault=fault)


def _codings(request: InboundRequest) -> list[str]:
    """The codings in the order in which they were applied. A charset is none, though some senders
    write it there.
    """
    values = b",".join(request.header_values(b"content-encoding")).decode("latin-1").lower()
    words = [word.strip() for word in values.split(",")]
    return [word for word in words if word not in {"", "identity"} and not _text_encoding(word)]


def _text_encoding(name: str) -> str | None:
    """Python's name of a charset; None where there is no such text encoding."""
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return info.name if info._is_text_encoding else None  # noqa: SLF001 - bytes.decode asks it, too


def _undone(body: bytes, codings: list[str], limit_bytes: int) -> tuple[bytes, str]:
    """The content, or the body as it is and why; a body is taken as it is where it was inflated on
    its way and the header left.
    """
    if len(codings) > _MAX_CODINGS:
        return body, "too many content codings"
    content = body
    for word in reversed(codings):
        kind = "gzip" if word in _GZIP else "deflate" if word in _DEFLATE else ""
        if not kind:
            return body, "a content coding that is not known"
        inflated = _inflated(content, kind, limit_bytes)
        if inflated is None:
            return body, f"no {kind} stream of {limit_bytes} bytes at most"
        content = inflated
    return content, ""


def _inflated(data: bytes, kind: str, limit_bytes: int) -> bytes | None:
    """The whole content of a stream; None where it is damaged, cut off or larger than allowed."""
    for wbits in _AUTO_WBITS[kind]:
        try:
            content = _decompressed(data, wbits, limit_bytes)
        except zlib.error:
            continue
        if content is not None:
            return content
    return None


def _decompressed(data: bytes, wbits: int, limit_bytes: int) -> bytes | None:
    """A gzip stream may have several members; what follows the last one is no part of it."""
    found = bytearray()
    while True:
        stream = zlib.decompressobj(wbits)
        found += stream.decompress(data, limit_bytes - len(found) + 1)
        if len(found) > limit_bytes or not stream.eof:
            return None
        data = stream.unused_data
        if wbits != _AUTO_WBITS["gzip"][0] or not data.startswith(b"\x1f\x8b"):
            return bytes(found)


def _as_utf8(body: bytes, content_type: bytes | None) -> bytes | None:
    """The body in UTF-8; None where it is UTF-8, or where that is unknown.

    The charset that the sender names is believed where the bytes are no UTF-8, since senders name
    one that they do not write.
    """
    wide = body.startswith(_WIDE_STARTS)
    encoding = json.detect_encoding(body) if wide else _charset(content_type)
    if encoding is None or encoding in _UTF8 or _is_utf8(body, encoding):
        return None
    try:
        return body.decode(encoding).encode()
    except (LookupError, ValueError, UnicodeError):
        return None


def _is_utf8(body: bytes, encoding: str) -> bool:
    if encoding.startswith(("utf-16", "utf-32")):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _charset(content_type: bytes | None) -> str | None:
    """The canonical name of the charset that a content type names, where it is a text encoding."""
    _, _, parameters = (content_type or b"").decode("latin-1").partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return _text_encoding(value.strip().strip("\"'"))
    return None


def check_content(headers: Sequence[tuple[bytes, bytes]], accepted: frozenset[str]) -> None:
    """Refuse a body whose content type is another (415).

    No content type, or one of bare bytes, says nothing and is accepted; so is any `…+json` where
    JSON is. A compressed body is refused. This is for unverified senders: what carries a
    valid signature is read as it can be.
    """
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise MalformedCallbackError("content_encoding", status=415)
        if name == b"content-type":
            media = value.split(b";", 1)[0].strip().lower().decode("latin-1")
            json_like = "application/json" in accepted and media.endswith("+json")
            if not (media in accepted or media in _SAYS_NOTHING or json_like):
                raise MalformedCallbackError("content_type", status=415)
