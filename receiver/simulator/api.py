"""The platform's API, served from the order book (api.md); it checks our signature.

Codes other than 200 are not documented: those here are made up, and nothing may depend on them.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from receiver.signatures import xport_signature
from receiver.simulator.messages import clock_text, order_detail
from receiver.simulator.orders import Order, OrderBook
from receiver.simulator.pusher import Account

_TOLERANCE_S: Final = 600
_NONCE_CHARS: Final = 32
_SUCCESS: Final = 200
_REFUSED: Final = 403
_NOT_FOUND: Final = 404
_ORDER_PARAMETERS: Final = ("orderId", "purchaseOrderId", "salesOrderId")
_EDITIONS: Final = ("/v2", "")


@dataclass(slots=True)
class Fault:
    """What the next calls do instead of answering; `times` counts down."""

    times: int = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class SimulatedAPI:
    """Answers the calls of our client. `calls` counts them by name, `fault` makes them fail."""

    def __init__(
        self, book: OrderBook, account: Account, *, now: Callable[[], float] = time.time
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.fault = Fault()
        self._book = book
        self._account = account
        self._now = now

    def app(self) -> Starlette:
        """The ASGI application."""
        rows = (
            ("POST", "/alibaba/order/detail", self._alibaba_order),
            ("GET", "/alibaba/order/logistics/trace", self._alibaba_trace),
            ("GET", "/taobao/order/get", self._taobao_order),
            ("GET", "/taobao/order/logistics/detail/get", self._taobao_trace),
            ("GET", "/open/order/get", self._taobao_order),
            ("GET", "/open/order/logistics/detail/get", self._taobao_trace),
        )
        routes = [
            Route(edition + path, self._guarded(path, answer), methods=[method])
            for edition in _EDITIONS
            for method, path, answer in rows
        ]
        return Starlette(routes=routes)

    def _guarded(self, path: str, answer: Callable[[dict[str, Any]], Any]) -> Any:
        async def endpoint(request: Request) -> Response:
            self.calls[path] += 1
            if self.fault.times > 0:
                self.fault.times -= 1
                return Response(self.fault.body, self.fault.status, self.fault.headers)
            if reason := self._unsigned(request):
                return _reply(_REFUSED, reason, None)
            asked: dict[str, Any] = dict(request.query_params)
            if request.method == "POST":
                asked |= await request.json()
            data = answer(asked)
            return (
                _reply(_NOT_FOUND, "no such order", None)
                if data is None
                else _reply(_SUCCESS, "success", data)
            )

        return endpoint

    def _unsigned(self, request: Request) -> str:
        """Why a call is refused; empty where its signature is right."""
        headers = request.headers
        timestamp, nonce = headers.get("timestamp", ""), headers.get("nonce-str", "")
        if len(nonce) != _NONCE_CHARS:
            return "nonce-str must have 32 characters"
        if not timestamp.isdigit() or len(timestamp) not in {10, 13}:
            return "timestamp must be seconds or milliseconds"
        sent_s = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
        if abs(self._now() - sent_s) > _TOLERANCE_S:
            return "timestamp out of range"
        expected = xport_signature(self._account.access_key, timestamp, nonce, self._account.secret)
        given = headers.get("signature", "")
        return "" if hmac.compare_digest(expected.encode(), given.encode()) else "bad signature"

    def _order(self, asked: dict[str, Any]) -> Order | None:
        given = next((asked[name] for name in _ORDER_PARAMETERS if asked.get(name)), "")
        return self._book.find(str(given))

    def _alibaba_order(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        order = self._order(asked)
        return order_detail(order, self._book) if order else None

    def _alibaba_trace(self, asked: dict[str, Any]) -> list[dict[str, Any]] | None:
        order = self._order(asked)
        if order is None:
            return None
        if order.parcel is None:
            return []
        parcel = order.parcel
        steps = [(clock_text(step.time), step) for step in parcel.steps]
        return [
            {
                "logisticsId": parcel.logistics_id,
                "orderId": int(order.order_id),
                "logisticsBillNo": parcel.waybill_no,
                "logisticsCompanyName": parcel.carrier,
                "logisticsSteps": [
                    {"acceptTime": when, "remark": step.remark} for when, step in steps
                ],
                "traceNodeList": [
                    {"acceptTime": when, "action": step.word, "remark": step.remark}
                    for when, step in steps
                ],
            }
        ]

    def _taobao_order(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        order = self._order(asked)
        if order is None:
            return None
        return {"purchaseOrderId": order.order_id, "status": order.status}

    def _taobao_trace(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        order = self._book.find(str(asked.get("subPurchaseOrderId", "")))
        if order is None:
            return None
        parcel = order.parcel
        details = (
            []
            if parcel is None
            else [
                {
                    "mailNo": parcel.waybill_no,
                    "logisticsTraces": [
                        {
                            "time": clock_text(step.time),
                            "status": step.word,
                            "statusDesc": step.remark,
                            "action": step.word,
                            "standerdDesc": step.remark,
                            "city": "杭州市",
                        }
                        for step in parcel.steps
                    ],
                    "logisticsPartner": [{"company": parcel.carrier}],
                    "receiver": {},
                    "logisticsGoods": [],
                }
            ]
        )
        return {"purchaseOrderOuterId": order.order_id, "pnmLogisticsDetails": details}


def _reply(code: int, msg: str, data: Any) -> JSONResponse:
    """The reply envelope (api.md 1)."""
    return JSONResponse(
        {
            "requestId": secrets.token_hex(8),
            "code": code,
            "developId": "10001",
            "msg": msg,
            "data": data,
        }
    )
