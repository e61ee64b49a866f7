"""What a viewer, an operator and who may see personal data can do on the pages."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2

from receiver.bus.read.filters import Filters
from receiver.console.app import create_console
from receiver.operations.audit_reading import acts
from tests.console.asked import PROXY, SECRET, console
from tests.console.desk import ROOT_PATH, Visitor
from tests.operations.repair.test_letters import letter

PHONE = "13812345678"
USERS = [
    {"name": "looks", "personal": True},
    {"name": "operates", "role": "operator"},
]


@contextlib.asynccontextmanager
async def named(visitor: Visitor, name: str) -> AsyncIterator[Visitor]:
    """The same console for a user whom a proxy names."""
    settings = console(
        auth="proxy",
        users=USERS,
        trusted_proxies=[PROXY],
        proxy_secret=SECRET,
        root_path=ROOT_PATH,
    )
    transport = httpx2.ASGITransport(create_console(visitor.desk, settings), client=(PROXY, 1))
    headers = {"x-yizhan-proxy-secret": SECRET, "x-forwarded-user": name}
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://shop.example", headers=headers
    ) as http:
        yield replace(visitor, http=http)


async def test_a_viewer_looks_and_an_operator_acts_by_name(visitor: Visitor) -> None:
    await visitor.shelf.publisher.publish([letter(visitor.desk.subjects, "order-1", 1)])
    before = await visitor.desk.letters.chosen(Filters())
    seq = before[-1].seq
    async with named(visitor, "looks") as viewer:
        page = await viewer.get(f"/dead/{seq}")
        assert not [form for form in page.forms if form[":action"].endswith("/dead/retry")]
        assert not [link for link in page.links if "/dead/drop" in link]
        fields = {"letter": str(seq), "count": "1", "reason": "none"}
        for act in ("retry", "drop"):
            refused = await viewer.post(f"/dead/{act}", **fields)
            assert refused.status_code == 403
            assert "looks is viewer here, and this takes an operator" in refused.text
    assert await visitor.desk.letters.chosen(Filters()) == before
    async with named(visitor, "operates") as operator:
        done = await operator.sent("/dead/drop", **fields)
        assert "1 dropped" in done.text
    (record,) = await acts(visitor.bus.connection, visitor.desk.subjects, Filters(), by="operates")
    assert (record.last.verb, record.last.reason) == ("dead-drop", "none")


async def test_personal_data_is_for_those_who_may_whatever_their_role(visitor: Visitor) -> None:
    await visitor.shelf.push("2745", "SOMETHING_NEW", mobile=PHONE)
    page = "/orders/2745"
    async with named(visitor, "operates") as operator:
        assert not [link for link in (await operator.get(page)).links if "/reveal" in link]
        refused = await operator.post("/reveal", page=page, reason="the buyer calls")
        assert refused.status_code == 403
    async with named(visitor, "looks") as viewer:
        answer = await viewer.post("/reveal", page=page, reason="the buyer calls")
        place = answer.headers["location"].removeprefix(ROOT_PATH)
        assert PHONE in (await viewer.get(place)).text
    async with named(visitor, "operates") as operator:  # by the other's link
        assert PHONE not in (await operator.get(place)).text
    (record,) = await acts(visitor.bus.connection, visitor.desk.subjects, Filters(), by="looks")
    assert (record.last.verb, record.last.target) == ("reveal", page)
    assert record.last.reason == "the buyer calls"
