"""Forms, read as servlet containers and PHP read them."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.dialects.form import MAX_FIELDS, first_reading, readings
from receiver.errors import MalformedCallbackError

TEXT = st.text(st.characters(codec="utf-8"))
FIELD = st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), TEXT)


@given(st.lists(FIELD, max_size=9))
def test_what_a_browser_writes_is_read(pairs: list[tuple[str, str]]) -> None:
    assert first_reading(urlencode(pairs).encode()) == tuple(pairs)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_the_standard_library_reads_them(value: bytes) -> None:
    for sign in (b"&", b"+", b"=", b"\r", b"\n", b"\t", b" ", b"\xef"):
        value = value.replace(sign, b"")
    unquoted = unquote_to_bytes(value)
    try:
        (pair,) = first_reading(b"a=" + value)
    except MalformedCallbackError:
        with pytest.raises(UnicodeDecodeError):
            unquoted.decode("gb18030")
    else:
        assert unquoted in {pair[1].encode(), pair[1].encode("gb18030", "replace")}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a=1&&b=2&", (("a", "1"), ("b", "2"))),
        (b"\xef\xbb\xbfa=1\r\n", (("a", "1"),)),
        (b"a", (("a", ""),)),
        (b"a=1=2", (("a", "1=2"),)),
        (b"a=%&b=%4&c=%zz%41", (("a", "%"), ("b", "%4"), ("c", "%zzA"))),
        (b"a=\\x41%5Cn", (("a", "\\x41\\n"),)),
        ("a=王".encode("gb18030"), (("a", "王"),)),
        (b"", ()),
    ],
    ids=repr,
)
def test_a_form_that_is_not_as_it_should_be_is_read(
    body: bytes, expected: tuple[tuple[str, str], ...]
) -> None:
    assert first_reading(body) == expected


def test_a_plus_is_a_space_or_itself() -> None:
    assert list(readings(b"a=1+2")) == [(("a", "1 2"),), (("a", "1+2"),)]
    assert list(readings(b"a=1%2B2")) == [(("a", "1+2"),)]
    assert parse_qsl("a=1+2") == [("a", "1 2")]


@pytest.mark.parametrize("more", [0, 1])
def test_the_number_of_fields_is_bounded(more: int) -> None:
    body = b"&".join([b"a=1"] * (MAX_FIELDS + more))
    if more:
        with pytest.raises(MalformedCallbackError, match="too many fields"):
            first_reading(body)
    else:
        assert len(first_reading(body)) == MAX_FIELDS
