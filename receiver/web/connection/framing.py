"""Where a stream of bytes may be cut so that every request ends at the end of a piece. Pure.

The parser goes through all that it is given, over the end of a request and into the next one. It
is given pieces, so that a request that came behind another one stays what it is, bytes, until the
one before it is answered.
"""

from __future__ import annotations

from typing import Final

_EMPTY_LINE: Final = b"\r\n\r\n"
_LENGTH: Final = len(_EMPTY_LINE)
_OVERLAP: Final = _LENGTH - 1


class Framing:
    """Finds the ends: of a body of known length by counting, of all else by the empty line.

    A head ends with an empty line, a chunked body with one behind its last chunk or its trailers.
    There may be more cuts than ends: inside a request they change nothing.
    """

    __slots__ = ("_before", "body_left")

    def __init__(self) -> None:
        self.body_left = 0
        """Bytes that a body of known length still lacks."""
        self._before = b""

    def cut(self, data: bytes, start: int, limit_bytes: int) -> int:
        """The end of the piece of `data` that begins at `start`, which the parser gets next;
        `limit_bytes` holds for what is no body of known length.
        """
        if self.body_left:
            end = min(start + self.body_left, len(data))
            self.body_left -= end - start
            self._before = b""
            return end
        if self._before and 0 < (across := self._across(data, start)) <= limit_bytes:
            self._before = b""
            return start + across
        found = data.find(_EMPTY_LINE, start, start + limit_bytes)
        if found >= 0:
            self._before = b""
            return found + _LENGTH
        end = min(start + limit_bytes, len(data))
        self._before = (self._before + data[start:end])[-_OVERLAP:]
        return end

    def _across(self, data: bytes, start: int) -> int:
        """How much of `data` ends an empty line that began in an earlier piece; 0 for none."""
        found = (self._before + data[start : start + _OVERLAP]).find(_EMPTY_LINE)
        return found + _LENGTH - len(self._before) if found >= 0 else 0
