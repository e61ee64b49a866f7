"""The contract on the console: every event type, its subject, its properties, an example."""

from __future__ import annotations

from schemas.examples import EXAMPLES
from tests.console.desk import ROOT_PATH, Visitor


async def test_every_event_type_has_a_page_with_its_subject_properties_and_example(
    visitor: Visitor,
) -> None:
    page, root = await visitor.get("/contract"), visitor.desk.subjects.root
    for name, data in EXAMPLES.items():
        assert f"{ROOT_PATH}/contract/{name}" in page.links
        one, view = (
            await visitor.get(f"/contract/{name}"),
            await visitor.json(f"/contract/{name}.json"),
        )
        assert view["subscribe"] == f"{root}.events.*.{name}.*"
        assert {prop["name"] for prop in view["properties"]} == set(type(data).model_fields)
        assert view["example"]["data"] == data.model_dump(mode="json")
        known = {part["name"] for part in view["parts"]}
        for part in (view, *view["parts"]):
            assert all(known.issuperset(prop["parts"]) for prop in part["properties"])
        assert set(one.ids) >= {f"part-{part}" for part in known}
        assert f"{ROOT_PATH}/events?type={name}" in one.links
    assert (
        "There is no event type order.eaten"
        in (await visitor.get("/contract/order.eaten", 404)).text
    )


async def test_an_event_leads_to_its_type(visitor: Visitor) -> None:
    await visitor.shelf.push("2745812000123456789")
    (event, *_) = (await visitor.json("/events.json"))["events"]
    page = await visitor.get(f"/events/{event['seq']}")
    assert f"{ROOT_PATH}/contract/{event['type']}" in page.links
    page = await visitor.get(f"/events?type={event['type']}")
    assert f"{ROOT_PATH}/contract/{event['type']}" in page.links
