"""What a recording leaves out of calls and replies, and what it leaves in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from receiver.client.masking import LINK, MASK, masked_reply, masked_request, words
from tests.client.test_samples import SAMPLES, sample
from tests.every import every

PERSONAL = re.compile(
    r"测试|示例路|Example (St|City)|1380000000\d|@example\.com|\b(buyer|seller)\b(?=\")|California"
    r"|滨江|杭州|浙江|北京|广州|310000|90000\b|alicdn|trade\.1688|wangwang-nick|颜色不对|请处理"
)
"""Every name, number, place, free text and link that the samples hold."""
DIGITS = re.compile(r"(?<![\d.])\d{12,}(?![\d.])")


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, name)
    else:
        yield name, value


@every(SAMPLES)
def test_a_masked_sample_holds_nothing_personal(name: str) -> None:
    read = sample(name)
    masked = {
        "request": masked_request(read.get("request")),
        "reply": masked_reply(read.get("reply"), bare="contact"),
    }
    text = json.dumps(masked, ensure_ascii=False)
    assert PERSONAL.search(text) is None, text
    assert set(re.findall(r"https?://[^\"]*", text)) <= {LINK}


@every(SAMPLES)
def test_a_masked_sample_keeps_its_form_and_its_ids(name: str) -> None:
    for part in ("request", "reply"):
        whole = sample(name).get(part)
        masked = masked_request(whole) if part == "request" else masked_reply(whole)
        before, after = list(leaves(whole)), list(leaves(masked))
        assert [key for key, _ in before] == [key for key, _ in after]
        assert [type(value) for _, value in before] == [type(value) for _, value in after]
        ids = DIGITS.findall(json.dumps(whole)), DIGITS.findall(json.dumps(masked))
        assert ids[0] == ids[1] or "payUrl" in dict(before)


def test_the_pattern_finds_what_the_samples_hold() -> None:
    found = [bool(PERSONAL.search(json.dumps(sample(n), ensure_ascii=False))) for n in SAMPLES]
    assert sum(found) > 15


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("toFullName", "王小明", MASK),
        ("receiver_name", "王小明", MASK),
        ("someNewNick", "w", MASK),
        ("mobile", 13800000000, 0),
        ("logisticsCompanyName", "顺丰", "顺丰"),
        ("needBuyerAddressAndPhone", True, True),
        ("address", None, None),
        ("phone", "", ""),
        ("remark", "call me", MASK),
        ("nodeDetail", "left with Ann", MASK),
        ("receiver", "Ann", MASK),
        ("subject", "王 138 0000 0000, a.b@c.example", f"王 {MASK}, {MASK}"),
        ("subject", "+7 900 123-45-67 or 0571-88888888", f"{MASK} or {MASK}"),
        ("orderId", "13800000000", "13800000000"),
        ("subject", "27000000000000000171", "27000000000000000171"),
        ("url", "//img.example/a?b=c", LINK),
        ("text", "see https://x.example/1, now", f"see {LINK} now"),
        ("taobaoUrl", "taobao://item/1", LINK),
        ("capacity", "2 l", "2 l"),
        ("mailNo", "SF0000000000001", "SF0000000000001"),
        ("password", "p4ss", MASK),
        ("imageBase64", "AAAA", MASK),
    ],
)
def test_a_field_is_masked_by_its_name_and_its_text(name: str, value: Any, masked: Any) -> None:
    assert masked_request({name: value}) == {name: masked}


def test_everything_within_an_address_is_masked_and_json_text_is_looked_into() -> None:
    asked = {
        "addressParam": {"x": "somewhere", "isDefault": True},
        "param": '{"receiver":{"state":"CA","floor":3},"sku":"1"}',
        "properties": [{"name": "Colour", "value": "Red"}],
        "people": [{"name": "Ann"}],
    }
    assert masked_request(asked) == {
        "addressParam": {"x": MASK, "isDefault": True},
        "param": '{"receiver":{"state":"***","floor":0},"sku":"1"}',
        "properties": [{"name": "Colour", "value": "Red"}],
        "people": [{"name": MASK}],
    }


def test_a_message_is_the_buyers_in_a_request_and_the_platforms_in_a_reply() -> None:
    assert masked_request({"message": "for Ann"}) == {"message": MASK}
    assert masked_reply({"message": "out of stock"}) == {"message": "out of stock"}


def test_a_lone_value_is_masked_as_the_field_that_it_is() -> None:
    reply = {"code": 200, "data": "wangwang-nick"}
    assert masked_reply(reply, bare="contact") == {"code": 200, "data": MASK}
    assert masked_reply(reply, bare="success") == reply


def test_the_words_of_a_name_are_found_in_every_spelling() -> None:
    assert words("toFullName") == words("to_full_name") == ("to", "full", "name")
    assert words("imageURL") == ("image", "url")
