"""A good request with one value of another type is answered or refused: no row fails on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from receiver.simulator.asked import Asked, Edition, NotFoundError, RefusedError, UnreadableError
from receiver.simulator.calls.rows import ANSWERS
from receiver.simulator.platform import SimulatedPlatform
from receiver.simulator.routes import served_rows
from tests.simulator.calling import Caller, calling
from tests.simulator.conftest import receiving
from tests.simulator.test_rows import CALLED

WRONG: tuple[Any, ...] = (
    *(None, True, -1, 10**30, 1.5, "", "x", "inf", "[", "[]", "{}"),
    *([], {}, [None], [[7]], {"a": 1}),
)
EDITIONS: dict[str, Edition] = {row.path: row.edition for row in served_rows()}


@pytest.fixture(scope="module")
async def caller() -> AsyncIterator[Caller]:
    async with receiving() as receiver:
        config = receiver.config(sellers_act=False, cancel_after_s=0.0)
        async with SimulatedPlatform(config) as platform, calling(platform) as opened:
            yield opened


def broken(value: Any) -> Iterator[Any]:
    """`value` with one place in it replaced, or left out; JSON in a text is opened, too."""
    yield from WRONG
    if isinstance(value, dict):
        for name, part in value.items():
            yield {other: value[other] for other in value if other != name}
            for wrong in broken(part):
                yield value | {name: wrong}
    elif isinstance(value, list):
        for wrong in broken(value[0]) if value else ():
            yield [wrong, *value[1:]]
    elif isinstance(value, str) and value[:1] in {"[", "{"}:
        yield from map(json.dumps, broken(json.loads(value)))


@pytest.mark.parametrize("row", CALLED)
async def test_a_value_of_another_type_is_no_failure(caller: Caller, row: str) -> None:
    caller.platform.world.stock.clear()  # the requests of other rows bought it up
    await CALLED[row](caller)
    called = caller.platform.api.journal.calls[-1]
    edition = EDITIONS[called.path]
    refused = 0
    requests = [wrong for wrong in broken(json.loads(called.arguments)) if isinstance(wrong, dict)]

    for parameters in requests:
        for in_query in (False, True):
            asked = Asked(edition, parameters, in_query=in_query)
            try:
                json.dumps(ANSWERS[row](caller.platform.world, asked))
            except (UnreadableError, NotFoundError, RefusedError):
                refused += 1

    assert len(requests) >= 2
    assert refused or row in TAKES_ANYTHING


TAKES_ANYTHING = {
    "alibaba_cart_list",
    "alibaba_refunds_carriers",
    "taobao_cart_list",
    "taobao_orders_im_link",
    "taobao_orders_upload_payment_voucher",
    "warehouse_book_freight",
    "warehouse_preview_freight",
    "warehouse_update_logistics",
}
"""The rows that ask for nothing, or of which no page says what they ask for."""
