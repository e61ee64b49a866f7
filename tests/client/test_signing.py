"""The headers of a call, against signatures made by `openssl dgst -md5`."""

from __future__ import annotations

import hashlib

import pytest

from receiver.client.platform import PlatformAPI
from receiver.client.signing import Signer, random_nonce
from receiver.errors import ConfigurationError
from tests.client.conftest import Platform, settings_of

NONCE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("unit", "timestamp", "signature"),
    [
        ("ms", "1700000000123", "180C129974E4D6FA18C806C835A04C2E"),
        ("s", "1700000000", "62117F923DDD2633FE4C1242C7683ABC"),
    ],
)
def test_the_signature_is_the_one_openssl_makes(unit: str, timestamp: str, signature: str) -> None:
    settings = settings_of("https://platform.test", timestamp_unit=unit)
    signer = Signer(settings, clock=lambda: 1_700_000_000.1234, nonce=lambda: NONCE)

    assert signer.headers() == {
        "access-key": "AK",
        "timestamp": timestamp,
        "nonce-str": NONCE,
        "user-id": "2100000000001",
        "signature": signature,
    }


def test_a_nonce_is_32_characters_and_new_each_time() -> None:
    made = {random_nonce() for _ in range(100)}

    assert len(made) == 100
    assert {len(nonce) for nonce in made} == {32}


def test_no_user_id_sends_no_such_header() -> None:
    assert "user-id" not in Signer(settings_of("https://platform.test", user_id="")).headers()


@pytest.mark.parametrize("setting", ["access_key", "user_id"])
@pytest.mark.parametrize("value", ["a\r\nx: y", "钥匙", "with space", "nul\0"])
def test_a_setting_that_cannot_stand_in_a_header_is_told_at_the_start(
    setting: str, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"api.{setting}") as caught:
        PlatformAPI.open(settings_of("https://platform.test", **{setting: value}))

    assert value not in str(caught.value)


async def test_every_request_carries_a_fresh_valid_signature(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply([])

    await api.alibaba.orders.logistics("1")
    await api.alibaba.orders.logistics("1")

    first, second = (asked.headers for asked in platform.asked)
    assert first["nonce-str"] != second["nonce-str"]
    for headers in (first, second):
        signed = f"AK{headers['timestamp']}{headers['nonce-str']}s3cret"
        digest = hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
        assert headers["signature"] == digest.upper()
        assert len(headers["timestamp"]) == 13
        assert "s3cret" not in "".join(headers.values())


async def test_a_warehouse_call_is_signed_in_its_query(
    platform: Platform, api: PlatformAPI
) -> None:
    platform.reply(None)

    await api.warehouse.preview_freight({"orderId": "1"})

    asked = platform.asked[0]
    assert not {"access-key", "user-id", "signature", "timestamp"} & asked.headers.keys()
    signed = f"AK{asked.query['timestamp']}{asked.headers['nonce-str']}s3cret"
    digest = hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
    assert asked.query["sign"] == digest.upper()
    assert asked.body == b'{"orderId":"1"}'
