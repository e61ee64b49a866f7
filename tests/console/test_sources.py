"""Sources on the console: how they are proven, what came, what was refused, how fast its 200."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from receiver.observability.counters import DeliveryCounts
from receiver.operations.look.configured import configured
from receiver.operations.look.counted import counted_document
from receiver.operations.look.status import status_without_nats
from receiver.settings import Settings, SourceSettings
from tests.console.desk import ROOT_PATH, Visitor, where

TOKEN = "token-of-the-secret-url"
SECRET = "secret-that-signs"
SIGNED = SourceSettings(
    name="shop",
    dialect="xport",
    verification="both",
    access_key="key",
    secrets=(SecretStr(SECRET),),
    path_token=SecretStr(TOKEN),
)


def counts() -> DeliveryCounts:
    """Of a receiver that took, refused and was late."""
    made = DeliveryCounts()
    for seconds in (0.003, 0.003, 0.15, 1.5):
        made.taken("shop", "stored", seconds)
    made.taken("shop", "retransmission", 0.02, provoked=True)
    made.aged("shop", -3.0)
    made.tried("shop", "late")
    made.retried("shop", "2", "good", last=False)
    made.refused("shop", "unauthorized", "stale_timestamp", 7200.0)
    made.refused("", "refused", "unknown_source")
    return made


async def test_a_source_shows_how_it_is_proven_and_what_became_of_its_deliveries(
    visitor: Visitor,
) -> None:
    await visitor.shelf.push("2745812000123456789")
    counted = {**counted_document(counts().figures()), "alerts": [], "missing": []}
    known = configured(Settings(sources=(SIGNED,)))
    async with where(visitor, counted=counted, configured=known) as one:
        pages = [await one.get("/sources"), await one.get("/sources/shop")]
        view = await one.json("/sources/shop.json")
        every = await one.json("/sources.json")
    assert f"{ROOT_PATH}/sources/shop" in pages[0].links
    assert {f"{ROOT_PATH}/events?source=shop"} <= set(pages[1].links)
    for secret in (TOKEN, SECRET):
        assert secret not in f"{pages[0].text} {pages[1].text} {view} {every}"
    assert view["configured"]["path"] == "/callbacks/shop/<path_token>"
    assert "proven by a signature and the secret URL" in pages[1].text
    found = view["counted"]
    assert found["answers"] == {"stored": 4, "retransmission": 1, "unauthorized": 1}
    assert (found["first_tries"], found["retries"]) == ({"late": 1}, {"2": 1})
    assert found["retransmissions"] == {"provoked": 1}
    assert (found["ack_s"]["count"], found["ack_s"]["p50"], found["ack_s"]["p99"]) == (5, 0.025, 2)
    (refused,) = found["refusals"]
    assert (refused["reason"], refused["age_s"]) == ("stale_timestamp", 7200)
    assert [one["reason"] for one in every["astray"]] == ["unknown_source"]
    assert view["explained"] in pages[1].text
    assert view["stored"]["callbacks"] >= 1
    for said in (
        "up to 5 ms 2",
        "1 s to 2 s late 1",
        "−5 s to −1 s 1",
        "retry 2 1",
        "stale timestamp 1",
    ):
        assert said in pages[1].text, said


async def test_a_source_that_is_nowhere_is_none_and_one_without_reports_says_so(
    visitor: Visitor,
) -> None:
    counted = {**counted_document(DeliveryCounts().figures()), "alerts": [], "missing": []}
    async with where(visitor, counted=counted) as one:
        assert "no delivery" not in (await one.get("/sources")).text
        assert "No receiver has reported a delivery of it" in (await one.get("/sources/shop")).text
        assert "There is no source other" in (await one.get("/sources/other", 404)).text
        assert (await one.json("/sources/shop.json"))["counted"] is None


async def test_without_nats_a_source_shows_what_the_settings_say(visitor: Visitor) -> None:
    away = await status_without_nats(None, "NATS is away: no server", datetime.now(UTC))
    async with where(visitor, status={**away, "rates": None}) as one:
        for path in ("/sources", "/sources/shop"):
            page = await one.get(path)
            assert "Unknown: NATS is away: no server" in page.text
            assert "unknown what is stored of it cannot be read" in page.text
        assert "/callbacks/shop" in (await one.get("/sources/shop")).text
