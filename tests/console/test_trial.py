"""The page that sends a test callback, where it can be sent and where it cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx2

from receiver.cli.trial import Sender, sender_on
from receiver.console.app import create_console
from receiver.settings import Settings, SourceSettings
from receiver.settings.console import ConsoleSettings
from tests.console.desk import ROOT_PATH, Visitor

TRIAL = SourceSettings(name="trial", dialect="xport", verification="none", simulated=True)
REAL = SourceSettings(name="shop", dialect="xport", verification="none")
PATH = f"{ROOT_PATH}/test-callback"


async def test_it_is_offered_for_simulated_sources_of_a_receiver_here_alone(
    visitor: Visitor, tmp_path: Path
) -> None:
    assert "name none" in (await visitor.get("/test-callback", 404)).text
    assert PATH not in (await visitor.get("/events")).links
    for settings in (
        Settings(sources=(REAL,)),
        Settings.model_validate({"sources": [TRIAL], "receiver": {"host": "192.0.2.7"}}),
        Settings.model_validate({"sources": [TRIAL], "receiver": {"host": "0.0.0.0"}}),
    ):
        sender = sender_on(settings)
        assert sender is None or not sender.sources

    settings = Settings(sources=(TRIAL, REAL), console=ConsoleSettings(root_path=ROOT_PATH))
    sender = Sender.of(settings, "http://127.0.0.1:1")  # where nothing listens
    app = create_console(replace(visitor.desk, sender=sender), settings)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1"
    ) as http:
        here = replace(visitor, http=http)
        assert PATH in (await here.get("/events")).links
        page = await here.get("/test-callback?type=ORDER_CANCEL&order=7")
        assert "yizhan send ORDER_CANCEL --source trial --order 7" in page.text
        refused = await here.post("/test-callback", source="shop", type="ORDER_CANCEL", order="7")
        assert (refused.status_code, "marked simulated = true: trial" in refused.text) == (
            400,
            True,
        )
        await visitor.shelf.push("8")
        real = await here.post("/test-callback", source="trial", type="ORDER_CANCEL", order="8")
        assert (real.status_code, "order 8: is a real one" in real.text) == (400, True)
        after = await here.sent("/test-callback", source="trial", type="ORDER_CANCEL", order="7")
        assert "Not sent: the receiver at http://127.0.0.1:1 does not answer" in after.text
        assert page.form(PATH)["order"] == after.form(PATH)["order"] == "7"
    (act, *_) = (await visitor.json("/audit.json"))["acts"]
    assert (act["verb"], act["target"], act["outcome"]) == ("test-callback", "trial", "failed")
