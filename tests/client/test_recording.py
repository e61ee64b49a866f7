"""A recording of calls, and the transport that answers from it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import httpx2
import pytest

from receiver.client.platform import PlatformAPI
from receiver.errors import APIUnavailableError, RateLimitedError, RecordingError
from schemas.api.alibaba_orders import AddressParam, CargoParam
from tests.client.conftest import Platform, settings_of
from yizhan.client import recording
from yizhan.testing import ReplayTransport

DETAIL = {
    "baseInfo": {
        "idOfStr": "2700000000000000017",
        "status": "waitsellersend",
        "totalAmount": 44.0,
        "receiverInfo": {"toFullName": "王小明", "toMobile": "13800000000"},
    }
}
HOME = AddressParam(full_name="王小明", mobile="13800000000", address="示例路1号")
SETTINGS = settings_of("https://platform.test")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


def content(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content(file).splitlines()]


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def test_a_recorded_call_is_answered_again_with_personal_data_masked(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply(DETAIL)
    with recording(api, file):
        recorded = await api.alibaba.orders.detail("2700000000000000017")

    replay = ReplayTransport(file)
    async with PlatformAPI.open(SETTINGS, transport=replay) as again:
        replayed = await again.alibaba.orders.detail("2700000000000000017")

    assert recorded.base_info is not None
    assert replayed.base_info is not None
    assert recorded.base_info.receiver_info is not None
    assert recorded.base_info.receiver_info.to_full_name == "王小明"
    assert replayed.base_info.receiver_info is not None
    assert replayed.base_info.receiver_info.to_full_name == "***"
    plain = {"receiver_info"}
    assert replayed.base_info.model_dump(exclude=plain) == recorded.base_info.model_dump(
        exclude=plain
    )
    assert replay.left == []


async def test_the_file_holds_no_key_and_is_for_its_owner(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply(DETAIL)
    with recording(api, file):
        await api.alibaba.orders.detail("2700000000000000017")
    text = content(file)
    sent = platform.asked[0].headers
    for secret in ("s3cret", "AK", sent["signature"], sent["nonce-str"], "2100000000001"):
        assert secret not in text
    assert mode(file) == 0o600
    assert lines(file)[0] == {"format": "yizhan-api-recording", "version": 1}
    assert lines(file)[1]["request"] == {
        "method": "POST",
        "path": "/v2/alibaba/order/detail",
        "query": {},
        "body": {"webSite": "1688", "orderId": "2700000000000000017"},
        "files": {},
    }


async def test_what_was_sent_with_personal_data_is_found_again(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply({"orderId": "2700000000000000017"})
    asked: dict[str, Any] = {
        "address_param": HOME,
        "cargo_param_list": [CargoParam(offer_map_id="A", quantity=1)],
        "flow": "general",
        "message": "please hurry",
    }
    with recording(api, file):
        await api.alibaba.orders.create(**asked)
    assert "王小明" not in content(file)
    assert "hurry" not in content(file)
    async with PlatformAPI.open(SETTINGS, transport=ReplayTransport(file)) as again:
        assert (await again.alibaba.orders.create(**asked)).order_ids == ("2700000000000000017",)


async def test_equal_calls_are_answered_in_order_each_answer_once(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    for status in ("waitsellersend", "waitbuyerreceive"):
        platform.reply({"baseInfo": {"id": 1, "status": status}})
        with recording(api, file):  # the second time the file is there already
            await api.alibaba.orders.detail("1")
    replay = ReplayTransport(file)
    async with PlatformAPI.open(SETTINGS, transport=replay) as again:
        first, second = [await again.alibaba.orders.detail("1") for _ in range(2)]
        assert first.base_info is not None
        assert second.base_info is not None
        statuses = (first.base_info.status, second.base_info.status)
        assert statuses == ("waitsellersend", "waitbuyerreceive")
        with pytest.raises(RecordingError, match="no answer to this call is left"):
            await again.alibaba.orders.detail("1")


async def test_another_call_is_refused_with_the_difference(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply(DETAIL)
    with recording(api, file):
        await api.alibaba.orders.detail("1")
    async with PlatformAPI.open(SETTINGS, transport=ReplayTransport(file)) as again:
        with pytest.raises(RecordingError, match=r"other parameters: orderId differ"):
            await again.alibaba.orders.detail("2")
    v1 = settings_of("https://platform.test", edition="v1")
    async with PlatformAPI.open(v1, transport=ReplayTransport(file)) as again:
        with pytest.raises(RecordingError, match="use the edition of the recording"):
            await again.alibaba.orders.detail("1")


async def test_failures_are_recorded_as_they_came(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    async def both(opened: PlatformAPI) -> tuple[APIUnavailableError, RateLimitedError]:
        platform.send("<html>王小明</html>")
        with pytest.raises(APIUnavailableError) as unreadable:
            await opened.alibaba.refunds.submit_return(
                refund_id="TQ1", logistics_company_no="SF", freight_bill="1", description="ab"
            )
        platform.send("{}", status=429, headers={"retry-after": "7"})
        with pytest.raises(RateLimitedError) as limited:
            await opened.alibaba.refunds.cancel("TQ1")
        return unreadable.value, limited.value

    ka = settings_of(platform.url, edition="ka")
    async with PlatformAPI.open(ka) as opened:
        with recording(opened, file):
            before = await both(opened)
    assert "王小明" not in content(file)
    assert lines(file)[1]["not_json"] == len("<html>王小明</html>".encode())
    async with PlatformAPI.open(ka, transport=ReplayTransport(file)) as again:
        after = await both(again)
    assert [str(error) for error in before] == [str(error) for error in after]
    assert after[1].retry_after_s == 7


async def test_of_a_file_that_is_sent_its_size_is_recorded(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply({"imageDomain": "https://cbu01.alicdn.com", "imageRelativeUrl": "a.jpg"})
    with recording(api, file):
        await api.alibaba.refunds.upload_voucher(b"\xff\xd8\xff photograph")
    assert lines(file)[1]["request"]["files"] == {"imageData": 14}
    async with PlatformAPI.open(SETTINGS, transport=ReplayTransport(file)) as again:
        await again.alibaba.refunds.upload_voucher(b"\xff\xd8\xff photograph")


async def test_nothing_is_recorded_after_the_block(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply(DETAIL)
    with recording(api, file):
        pass
    await api.alibaba.orders.detail("1")
    assert len(lines(file)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('mine')\n", "is no recording of calls: name another file"),
        ('{"format": "yizhan-api-recording", "version": 9}\n', "of another version"),
    ],
)
async def test_a_file_that_is_something_else_is_left_alone(
    api: PlatformAPI, file: Path, text: str, said: str
) -> None:
    written(file, text)
    with pytest.raises(RecordingError, match=said), recording(api, file):
        pass
    assert content(file) == text
    with pytest.raises(RecordingError, match=said):
        ReplayTransport(file)


async def test_a_file_that_cannot_be_used_is_a_sentence(api: PlatformAPI, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "calls.jsonl"
    cannot = pytest.raises(RecordingError, match="cannot be written: No such file")
    with cannot, recording(api, nowhere):
        pass
    with pytest.raises(RecordingError, match="cannot be read: No such file"):
        ReplayTransport(nowhere)
    header = '{"format": "yizhan-api-recording", "version": 1}\n'
    damaged = written(tmp_path / "damaged.jsonl", header + '{"row": 1}\n')
    with pytest.raises(RecordingError, match="damaged"):
        ReplayTransport(damaged)


async def test_a_request_that_is_not_of_the_client_is_refused(
    platform: Platform, api: PlatformAPI, file: Path
) -> None:
    platform.reply(DETAIL)
    with recording(api, file):
        await api.alibaba.orders.detail("1")
    async with httpx2.AsyncClient(transport=ReplayTransport(file)) as http:
        with pytest.raises(RecordingError, match="not made by PlatformAPI"):
            await http.get("https://platform.test/")
