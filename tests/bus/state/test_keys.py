"""Keys are tokens of a KV bucket, whatever the text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from receiver.bus.state.keys import MAX_TOKEN, effect_key, key_token, order_key

_KV_KEY = re.compile(r"[-/_=a-zA-Z0-9]+")

texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)


@given(texts)
def test_any_text_is_one_token(text: str) -> None:
    token = key_token(text)

    assert _KV_KEY.fullmatch(token)
    assert len(token) <= MAX_TOKEN


@given(texts, texts)
def test_two_texts_have_two_tokens(one: str, other: str) -> None:
    assert (key_token(one) == key_token(other)) == (one == other)


def test_keys_can_be_read_where_the_text_is_plain() -> None:
    assert order_key("1688", "99/3") == "order.1688.99=2F3"
    assert effect_key("ship", "0a1b", "tell.it") == "effect.ship.0a1b.tell=2Eit"
    assert key_token("") == key_token(None) == "_"
    assert key_token("x" * 129).startswith("=h")
