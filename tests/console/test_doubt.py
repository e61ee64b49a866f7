"""Effects in doubt on the console, and what an operator says of one."""

from __future__ import annotations

from receiver.console.rendering import segment
from tests.console.desk import ROOT_PATH, Visitor
from tests.console.seeded import HOSTILE, PHONE, keep_doubt

KEYS = ("effect.ship_it.0a1b2c.tell=20shop", "effect.ship_it.0a1b2d.tell=20shop")


async def test_an_effect_is_settled_with_a_note_once(visitor: Visitor) -> None:
    assert "Nothing is in doubt" in (await visitor.get("/doubt")).text
    for key in KEYS:
        await keep_doubt(visitor.bus.connection, visitor.desk.subjects, key)
    page, document = await visitor.get("/doubt"), await visitor.json("/doubt.json")
    assert [one["key"] for one in document["effects"]] == [*KEYS[::-1]]
    assert HOSTILE[1] in page.text
    path = f"/doubt/{segment(KEYS[0])}"
    assert f"{ROOT_PATH}{path}" in page.links
    one = await visitor.get(path)
    assert f"yizhan doubt show {KEYS[0]}" in one.text
    assert PHONE not in one.text
    assert one.form(f"{ROOT_PATH}{path}")[":method"] == "post"

    for fields in ({"verdict": "happened"}, {"note": "seen"}, {"verdict": "both", "note": "seen"}):
        assert (await visitor.post(path, **fields)).status_code == 400
    done = await visitor.sent(path, verdict="happened", note="in their list")
    assert "Settled: it happened." in done.text
    assert "Happened, says" in done.text
    assert "in their list" in done.text
    again = await visitor.post(path, verdict="not-happened", note="in their list")
    assert again.status_code == 400
    await visitor.sent(f"/doubt/{segment(KEYS[1])}", verdict="not-happened", note="not there")
    assert "Nothing is in doubt" in (await visitor.get("/doubt")).text
    acts = (await visitor.json("/audit.json?verb=doubt-settle&limit=3"))["acts"]
    assert [(one["filters"]["verdict"], one["outcome"], one["reason"]) for one in acts] == [
        ("not-happened", "done", "not there"),
        ("not-happened", "failed", "in their list"),
        ("happened", "done", "in their list"),
    ]
    await visitor.get("/doubt/effect.none.at.all", 404)
