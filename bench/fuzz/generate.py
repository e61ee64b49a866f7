"""Inputs made by chance: honest messages, bent; forms and headers; plain noise."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from bench.fuzz.target import NAMES, Case
from receiver.messages.alibaba import TOPICS
from receiver.settings import DialectName

_FIXTURES: Final = Path(__file__).parents[2] / "tests" / "fixtures" / "messages"
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1 << 53, 1 << 63, 10**30, 0.5, 1e300, -0.0, "", " ", "\x00", "\ud800",
    "a.b", "*", ">", "9" * 200, "1e999999999", "2024-01-01 00:00:00", "20180614101942000+0800",
    "99999999999999999999+9999", "0000-00-00 00:00:00", "1700000000000", "١٢٣", [], {}, [[]],
    [None], {"": None}, [{}, 1, "x"], {"a": {"b": {"c": []}}}, "NaN", "Infinity", "中文" * 50,
)  # fmt: skip
_RAW: Final = (
    b"", b"{}", b"[]", b"null", b"\xef\xbb\xbf{}", b"\xff\xfe", b"{" * 5000, b"[" * 10_000,
    b'{"a":NaN}', b'{"a":1e400}', b"9" * 5000, b'"\\ud800"', b'{"a":1,"a":2}',
)  # fmt: skip
_HEADER_NAMES: Final = (b"access-key", b"timestamp", b"nonce-str", b"signature", b"authorization")
_HEADER_VALUES: Final = (
    b"", b"key", b"0" * 32, b"\xff" * 32, b"1769860800000", b"1769860800", b"-1", b"9" * 19,
    b"A" * 300, "１７".encode(), b"\r\n", b"\x00",
)  # fmt: skip
_FIELDS: Final = (
    "orderId", "orderNo", "orderStatus", "payStatus", "totalAmount", "tbCreateTime", "refundId",
    "baseInfo", "productItems", "tradeTerms", "salesOrderId", "purchaseOrderPriceDTO", "subOrders",
    "batchPay", "orderLogsItems", "tradeOrderIds", "purchase_id", "sku_list", "status", "data",
    "OrderLogisticsTracingModel", "messageBody", "messageType", "timestamp", "msgId", "type",
)  # fmt: skip


def seeds() -> list[tuple[DialectName, Any]]:
    """Honest bodies, decoded: those of the fixtures, and one of each topic."""
    found: list[tuple[DialectName, Any]] = []
    for name in NAMES:
        for file in sorted((_FIXTURES / name).glob("*.json")):
            body = json.loads(file.read_text(encoding="utf-8"))["body"]
            if name != "aop":
                found.append((name, json.loads(body)))
    order = {"orderId": 2745812000123456789, "currentStatus": "waitbuyerpay", "totalAmount": 1}
    for topic in TOPICS:
        data = {"orderLogsItems": [order], "batchPay": [order], "tradeOrderIds": [1], **order}
        found.append(("xport", {"messageType": topic, "messageBody": data, "timestamp": "1"}))
        found.append(("aop", {"msgId": 1, "gmtBorn": 1, "type": topic, "data": data}))
    found += [("global", {"message_type": kind, "data": {"purchase_id": 1}}) for kind in (3, 8, 11)]
    return found


class Generator:
    """An endless source of cases, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._seeds = seeds()

    def case(self) -> Case:
        """The next input."""
        chance = self._random
        dialect, body = chance.choice(self._seeds)
        value = json.loads(json.dumps(body))
        for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
            value = self._bend(value)
        text = self._text(value)
        if dialect == "aop":
            text = self._form(text)
        if chance.random() < 0.3:
            text = self._garble(text)
        if chance.random() < 0.05:
            dialect, text = chance.choice(NAMES), chance.choice(_RAW)
        return Case(dialect, self._headers(), text)

    def _bend(self, value: Any) -> Any:
        """Replace, drop or add something somewhere."""
        chance = self._random
        if isinstance(value, dict) and value and chance.random() < 0.8:
            key = chance.choice(list(value))
            if chance.random() < 0.15:
                value.pop(key)
            elif chance.random() < 0.15:
                value[chance.choice(_FIELDS)] = deepcopy(chance.choice(_ODD))
            else:
                value[key] = self._bend(value[key])
            return value
        if isinstance(value, list) and value and chance.random() < 0.7:
            place = chance.randrange(len(value))
            value[place] = self._bend(value[place])
            return value
        return deepcopy(chance.choice(_ODD))

    def _text(self, value: Any) -> bytes:
        chance = self._random
        if isinstance(value, dict) and chance.random() < 0.4:
            for key in ("messageBody",):
                if key in value:
                    value[key] = json.dumps(value[key])
        encoded = json.dumps(value, ensure_ascii=chance.random() < 0.5)
        return encoded.encode("utf-8", "surrogatepass")

    def _form(self, text: bytes) -> bytes:
        chance = self._random
        fields = [("message", text), ("_aop_signature", b"AB" * 20)]
        while chance.random() < 0.1:
            fields.append(chance.choice(fields))
        return urlencode(fields).encode() + b"&a=1" * chance.choice((0, 0, 0, 0, 100))

    def _garble(self, text: bytes) -> bytes:
        chance = self._random
        data = bytearray(text)
        for _ in range(chance.choice((1, 1, 2, 8))):
            place = chance.randrange(len(data) + 1)
            act = chance.randrange(3)
            if act == 0:
                data[place:place] = bytes([chance.randrange(256)])
            elif act == 1:
                del data[place : place + chance.choice((1, 2, 16))]
            elif place < len(data):
                data[place] = chance.randrange(256)
        return bytes(data)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        chance = self._random
        return [
            (name, chance.choice(_HEADER_VALUES))
            for name in _HEADER_NAMES
            if chance.random() < 0.7
            for _ in range(chance.choice((1, 1, 1, 1, 2)))
        ]
