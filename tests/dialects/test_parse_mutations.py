"""Honest messages, bent: a key dropped, given twice, cut off, flipped; and orders told in disorder.

Parsing ends in a callback, a console check or its one error, and what it makes fits its contract.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.errors import MalformedCallbackError
from receiver.settings import DialectName
from tests.dialects.honest import FILES, HONEST, NOW, SOURCES, honest


def check(dialect: DialectName, body: bytes) -> Callback | None:
    request = InboundRequest(SOURCES[dialect], (), body, NOW)
    try:
        callback = DIALECTS[dialect].parse(VerifiedRequest(request, Proof("none")))
    except MalformedCallbackError:
        return None
    if not isinstance(callback, Callback):
        return None
    assert callback.events
    assert len(callback.faults) <= 40
    for draft in callback.events:
        text = draft.data.model_dump_json()
        assert type(draft.data).model_validate_json(text) == draft.data
        assert is_exact(text)
        assert draft.time is None or draft.time.utcoffset() is not None
    return callback


@cache
def is_exact(text: str) -> bool:
    return all(map(exact, numbers(json.loads(text))))


def exact(number: float) -> bool:
    return math.isfinite(number) and (isinstance(number, float) or abs(number) < 2**53)


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield value


def objects(value: Any) -> list[dict[str, Any]]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict) and value else []
    return found + [inner for part in parts for inner in objects(part)]


def text_with(value: Any, marked: dict[str, Any], written: str) -> str:
    """`value` as JSON text, in which `marked` is `written` instead."""
    if value is marked:
        return written
    if isinstance(value, dict):
        parts = (f"{json.dumps(k)}:{text_with(part, marked, written)}" for k, part in value.items())
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text_with(part, marked, written) for part in value) + "]"
    return json.dumps(value)


def pairs_text(pairs: list[tuple[str, Any]]) -> str:
    return "{" + ",".join(f"{json.dumps(k)}:{json.dumps(part)}" for k, part in pairs) + "}"


HERE = "<here>"
ODD = [
    "null", "true", "1e400", "-1e400", "1e-400", "1E5", "-0", "-0.0", "9007199254740993", "0.1",
    "9" * 400, '"1e999999999"', '"NaN"', '"-Infinity"', '"\\u0000"', '""', '" "', "[[]]", "{}",
    '"2026-01-31 12:00:00"', '"0000-00-00 00:00:00"', '"9999-12-31T23:59:59-18:00"', '"99999"',
    "[null]", "NaN", '"\\ud800"', '{"":{"":[]}}', '"' + "x" * 300 + '"',
    "9999999999999",
    '"1_0"', '"٣"',
]  # fmt: skip


@given(data=st.data())
def test_a_key_dropped_doubled_or_rewritten_anywhere_is_survived(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(HONEST))
    marked = data.draw(st.sampled_from(objects(message.outer)))
    pairs = list(marked.items())
    place = data.draw(st.integers(0, len(pairs) - 1))
    key = pairs[place][0]
    kind = data.draw(st.sampled_from(["drop", "double", "odd"]))
    if kind == "drop":
        written = pairs_text(pairs[:place] + pairs[place + 1 :])
    else:
        odd = data.draw(st.sampled_from(ODD))
        both = pairs if kind == "double" else pairs[:place] + pairs[place + 1 :]
        head = pairs_text(both)[:-1] + ("," if both else "")
        written = f"{head}{json.dumps(key)}:{odd}}}"
    check(message.dialect, message.wrapped(text_with(message.outer, marked, written)))


@given(data=st.data())
def test_bytes_cut_off_or_flipped_are_survived(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(HONEST))
    body = bytearray(message.wrapped(json.dumps(message.outer)))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    check(message.dialect, bytes(body[: data.draw(st.integers(0, len(body)))]))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_odd_value_in_every_field_is_survived(file: Path) -> None:
    message = honest(file)
    for marked in objects(message.outer):
        for key in marked:
            rest = [(name, part) for name, part in marked.items() if name != key]
            head = pairs_text(rest)[:-1] + ("," if rest else "")
            text = text_with(message.outer, marked, f"{head}{json.dumps(key)}:{HERE}}}")
            before, after = text.split(HERE)
            for odd in ODD:
                check(message.dialect, message.wrapped(before + odd + after))


TOLD = [
    ("ORDER_BUYER_VIEW_BUYER_MAKE", "waitbuyerpay", "12:00:00", "awaiting_payment"),
    ("ORDER_BUYER_VIEW_ORDER_PAY", "waitsellersend", "12:05:00", "awaiting_shipment"),
    ("ORDER_BUYER_VIEW_PART_PART_SENDGOODS", "waitsellersend", "13:00:00", "awaiting_shipment"),
    ("ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS", "waitbuyerreceive", "18:00:00", "shipped"),
    ("ORDER_BUYER_VIEW_ORDER_COMFIRM_RECEIVEGOODS", "confirm_goods", "19:00:00", "received"),
    ("ORDER_BUYER_VIEW_ORDER_SUCCESS", "success", "19:00:01", "completed"),
]


def history() -> list[bytes]:
    return [
        urlencode(
            {
                "message": json.dumps(
                    {
                        "msgId": number,
                        "type": topic,
                        "data": {
                            "orderId": 2745812000123456789,
                            "currentStatus": word,
                            "msgSendTime": f"2026-01-31 {clock}",
                        },
                    }
                )
            }
        ).encode()
        for number, (topic, word, clock, _) in enumerate(TOLD)
    ]


@given(seed=st.integers(0, 2**32), known=st.integers(1, len(TOLD)))
def test_any_order_and_repetition_of_an_orders_history_ends_in_the_same_state(
    seed: int, known: int
) -> None:
    chance = random.Random(seed)
    deliveries = history()[:known]
    deliveries += chance.choices(deliveries, k=chance.randrange(4))
    chance.shuffle(deliveries)
    drafts = [
        draft
        for body in deliveries
        if (callback := check("aop", body)) is not None
        for draft in callback.events
    ]
    last = max(drafts, key=lambda draft: draft.time or NOW)
    assert last.data.model_dump()["status"] == TOLD[known - 1][3]
    assert {draft.data.order_id for draft in drafts} == {"2745812000123456789"}
