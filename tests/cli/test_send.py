"""Test callbacks, from the console of `up --simulate` and from the shell, to their tracking."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx2

from receiver.testing import eventually
from tests.cli.conftest import Yizhan

ORDER = "2745812000123456789"
OTHER = "2745812000123456790"
SHIPPED = "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS"
SAME = {"sec-fetch-site": "same-origin"}


async def test_a_test_callback_is_pushed_and_followed_to_its_tracking(
    yizhan: Yizhan, tmp_path: Path
) -> None:
    running = await yizhan.start("up", "--simulate", "--interval", "1000")
    await running.line(lambda line: line.startswith("Ctrl-C"))
    printed = "".join(running.lines)
    console = re.findall(r"console +(\S+)/", printed)[0]
    receiver = re.findall(r"(http\S+)/healthz", printed)[0]
    async with httpx2.AsyncClient(base_url=console) as http:
        assert f'value="{ORDER}"' in (await http.get(f"/test-callback?order={ORDER}")).text
        for source in ("try", "dev"):
            sent = {"source": source, "type": SHIPPED, "order": ORDER}
            answer = await http.post("/test-callback", data=sent, headers=SAME)
            assert answer.headers["location"].startswith(f"/orders/{ORDER}?notice=")
        page = await http.get(answer.headers["location"])
        assert "Sent: the receiver answered 200, stored." in page.text

        taken = await yizhan.run("send", SHIPPED, "--order", OTHER, "--url", receiver, "--json")
        assert taken.code == 0, taken.err
        assert json.loads(json.loads(taken.out)["answer"])["status"] == "stored"

        async def tracked() -> bool:
            lives = [(await http.get(f"/orders/{one}.json")).json() for one in (ORDER, OTHER)]
            names = [{entry["name"] for entry in life["entries"]} for life in lives]
            return all({"fetch_tracking", "logistics.tracked"} <= found for found in names)

        await eventually(tracked, within_s=60)
        acts: list[dict[str, Any]] = (await http.get("/audit.json")).json()["acts"]
        assert [(one["verb"], one["target"], one["outcome"]) for one in acts] == [
            ("test-callback", "dev", "done"),
            ("test-callback", "try", "done"),
        ]
        nobodys = {"source": "dev", "type": "AUTHORIZATION_SUCCESS", "order": ORDER}
        answer = await http.post("/test-callback", data=nobodys, headers=SAME)
        assert answer.headers["location"].startswith("/events/")

    elsewhere = Yizhan(tmp_path / "elsewhere")  # where the secrets are others
    elsewhere.directory.mkdir()
    refused = await elsewhere.run("send", "ORDER_CREATE", "--url", receiver)
    assert refused.code == 1
    assert refused.out.startswith("401  ORDER_CREATE of order ")
    assert await running.stop() == 0
    away = await yizhan.run("send", "ORDER_CREATE", "--url", receiver)
    assert (away.code, f"the receiver at {receiver} does not answer" in away.err) == (1, True)
