"""`docs/api.md` is what the rows of the client say, and its code runs."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx2
from pydantic import SecretStr

from receiver.client.calls.registry import CALLS
from receiver.client.platform import PlatformAPI
from receiver.contract.api_page import api_page
from receiver.settings import APISettings
from tests.pages import ROOT

PAGE = ROOT / "docs" / "api.md"
REPLIES = {
    "trace": [{"logisticsBillNo": "YT1", "logisticsSteps": [{"remark": "r"}]}],
    "selleroffer": {"totalPage": 1, "data": [{"subjectTrans": "Cup", "priceInfo": {"price": 2}}]},
    "cancel": {"success": False, "errorCode": "CLOSE_ORDER_TOO_FAST"},
}


def test_the_page_is_up_to_date() -> None:
    stale = PAGE.read_text(encoding="utf-8") != api_page()
    assert not stale, "docs/api.md is stale: run `make docs`"


def test_every_row_is_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)\(.*\| \*{0,2}(yes|no)\*{0,2} \|", api_page(), re.MULTILINE)
    assert rows == [
        (call.method, "yes" if call.endpoint.changes_state else "no") for call in CALLS.values()
    ]


def test_the_module_prints_the_page() -> None:
    command = [sys.executable, "-m", "receiver.contract", "api"]
    printed = subprocess.run(command, capture_output=True, check=True)
    assert printed.stdout.decode() == api_page()


async def test_the_code_of_the_page_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", api_page(), re.DOTALL)
    held: dict[str, object] = {}
    exec(code, held)
    settings = APISettings(access_key="k", secret=SecretStr("s"), rate_per_s=1000)
    show = held["show"]
    assert callable(show)

    def answer(request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.rpartition("/")[2]
        return httpx2.Response(200, json={"code": 200, "data": REPLIES[name]})

    async with PlatformAPI.open(settings, transport=httpx2.MockTransport(answer)) as api:
        assert await show(api, "1", "shop") == [
            "YT1: 1",
            "Cup: 2.00 CNY",
            "not cancelled: CLOSE_ORDER_TOO_FAST the order is younger than 10 s",
        ]
