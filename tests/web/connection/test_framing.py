"""A request ends where a piece ends, however its bytes arrive: the parser is the judge."""

from __future__ import annotations

import httptools
from hypothesis import given
from hypothesis import strategies as st

from receiver.web.connection.framing import Framing

REQUESTS = [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: 8\r\n\r\n\r\n\r\n\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nx\r\n",
    b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    b"2;a=b\r\n\r\n\r\n0;c\r\nt: 1\r\nu: 2\r\n\r\n",
]


class Parsed:
    """Feeds a parser in pieces and notes where messages end and begin."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.framing = Framing()
        self.whole = 0
        self._headers: dict[bytes, bytes] = {}
        self._ended_in_this_piece = False

    def on_message_begin(self) -> None:
        assert not self._ended_in_this_piece
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self.framing.body_left = int(self._headers.get(b"content-length", 0))

    def on_message_complete(self) -> None:
        self.whole += 1
        self._ended_in_this_piece = True

    def receive(self, data: bytes, limit_bytes: int) -> None:
        start = 0
        while start < len(data):
            end = self.framing.cut(data, start, limit_bytes)
            assert start < end <= len(data)
            piece, start = data[start:end], end
            self._ended_in_this_piece = False
            self.parser.feed_data(piece)


@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6),
    cuts=st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=40),
    limit_bytes=st.sampled_from([1, 2, 7, 30, 1000]),
)
def test_no_piece_holds_bytes_of_two_requests(
    requests: list[bytes], cuts: list[int], limit_bytes: int
) -> None:
    stream, parsed = b"".join(requests), Parsed()
    for size in [*cuts, len(stream)]:
        data, stream = stream[:size], stream[size:]
        parsed.receive(data, limit_bytes)
    assert parsed.whole == len(requests)
