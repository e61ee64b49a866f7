"""Texts of a sender that UTF-8 cannot hold, as pages and their JSON give them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from receiver.console.rendering import as_json, encoded, query, segment

HALF = json.loads('"a\\ud83db"')
"""JSON may hold half of a surrogate pair, and platforms do send such names."""


@dataclass(frozen=True)
class View:
    title: str


def test_half_of_a_surrogate_pair_is_escaped() -> None:
    assert encoded(HALF) == b"a\\ud83db"
    assert json.loads(as_json(View(HALF))) == {"title": HALF}
    assert segment(HALF) == "a%3Fb"
    assert query({"order": HALF}) == "?order=a%3Fb"
