"""The handler, beside a warehouse that may lose its answer after it has shipped."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from warehouse_handlers import Warehouse, ship_order

from yizhan.events import PaymentSucceeded
from yizhan.testing import Kit, make_event

PAID = make_event(PaymentSucceeded(channel="1688", order_id="1"))


class Shipping(ThreadingHTTPServer):
    """Keeps the key of each shipment; while it `loses_answers`, nobody gets one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.shipped: list[str] = []
        self.loses_answers = False

    @property
    def settings(self) -> Warehouse:
        return Warehouse(url=f"http://127.0.0.1:{self.server_port}")


class Desk(BaseHTTPRequestHandler):
    server: Shipping

    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.shipped.append(order["key"])
        if not self.server.loses_answers:
            self.answer(201)

    def do_GET(self) -> None:
        self.answer(200 if self.path.rpartition("/")[2] in self.server.shipped else 404)

    def answer(self, status: int) -> None:
        body = b'{"parcel": "P1"}'
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def warehouse() -> Iterator[Shipping]:
    with Shipping() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_payment_that_is_told_again_and_replayed_ships_once(warehouse: Shipping) -> None:
    async def ship() -> None:
        async with Kit(ship_order, settings=warehouse.settings) as kit:
            runs = [await kit.run(PAID), await kit.retransmit(PAID), await kit.replay(PAID)]
        assert [run.outcome for run in runs] == ["done", "done", "done"]
        assert [run.logs[-1]["parcel"] for run in runs] == ["P1", "P1", "P1"]

    asyncio.run(ship())
    assert warehouse.shipped == [PAID.fact_id]


def test_a_shipment_whose_answer_was_lost_is_asked_for_and_not_made_again(
    warehouse: Shipping,
) -> None:
    async def ship() -> None:
        async with Kit(ship_order, settings=warehouse.settings) as kit:
            warehouse.loses_answers = True
            lost = await kit.run(PAID)
            warehouse.loses_answers = False
            (asked,) = await kit.advance(timedelta(seconds=10))
        assert [effect.state for effect in (*lost.effects, *asked.effects)] == ["in_doubt", "done"]
        assert (lost.outcome, asked.outcome) == ("retried", "done")

    asyncio.run(ship())
    assert warehouse.shipped == [PAID.fact_id]
