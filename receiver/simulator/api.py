"""The platform's API, served from the order book; it checks our signature.

Sources: docs/platform/api.md#signature-of-a-call, docs/platform/api.md#reply-envelope.
Codes other than 200 are not documented: those here are made up, and nothing may depend on them.
"""

from __future__ import annotations

import asyncio
import hmac
import json
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
from receiver.simulator.messages import order_detail
from receiver.simulator.orders import Channel, Order, OrderBook
from receiver.simulator.pusher import Account
from receiver.simulator.replies import alibaba_traces, taobao_order, taobao_trace

_TOLERANCE_S: Final = 600
_NONCE_CHARS: Final = 32
_SUCCESS: Final = 200
_UNREADABLE: Final = 400
_UNSIGNED: Final = 401
_NOT_FOUND: Final = 404
_ORDER_PARAMETERS: Final = ("orderId", "purchaseOrderId", "salesOrderId")
"""How the Taobao order detail names the order is not documented: any of these will do."""

Asked = dict[str, Any]
Answer = Callable[[Asked], Any]


@dataclass(slots=True)
class Fault:
    """What the next `times` calls meet, whatever they ask.

    First they wait `delay_s`. Then `status` None answers as usual, a `verdict` is put in an
    otherwise good reply as the call's own result, and any other `status` is sent with `headers` and
    `body`: 429 with `Retry-After`, 500, or 200 with garbage.
    """

    times: int = 0
    status: int | None = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    verdict: dict[str, Any] | None = None


class UnreadableError(Exception):
    """A request that lacks what the page asks for; the text says what."""


class SimulatedAPI:
    """Answers the calls of our client. `calls` counts them by path, `fault` makes them fail."""

    def __init__(
        self, book: OrderBook, account: Account, *, now: Callable[[], float] = time.time
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.fault = Fault()
        self._book = book
        self._account = account
        self._now = now

    def app(self) -> Starlette:
        """The ASGI application: the calls under their v2 and their v1 paths."""
        rows: tuple[tuple[str, Answer, str, str], ...] = (
            ("POST", self._alibaba_order, "/v2/alibaba/order/detail", "/alibaba/order/detail"),
            (
                "GET",
                self._alibaba_traces,
                "/v2/alibaba/order/logistics/trace",
                "/alibaba/order/logistics/trace",
            ),
            ("GET", self._taobao_order, "/v2/taobao/order/get", "/open/order/get"),
            (
                "GET",
                self._taobao_trace,
                "/v2/taobao/order/logistics/detail/get",
                "/open/order/logistics/detail/get",
            ),
        )
        return Starlette(
            routes=[
                Route(path, self._endpoint(path, answer), methods=[method])
                for method, answer, *paths in rows
                for path in paths
            ]
        )

    def _endpoint(self, path: str, answer: Answer) -> Any:
        async def endpoint(request: Request) -> Response:
            self.calls[path] += 1
            return await self._failing() or await self._answered(request, answer)

        return endpoint

    async def _failing(self) -> Response | None:
        """What a fault answers in place of us; None where we answer."""
        fault = self.fault
        if fault.times <= 0:
            return None
        fault.times -= 1
        await asyncio.sleep(fault.delay_s)
        if fault.verdict is not None:
            return _reply(_SUCCESS, "success", fault.verdict)
        if fault.status is None:
            return None
        return Response(fault.body, fault.status, fault.headers)

    async def _answered(self, request: Request, answer: Answer) -> Response:
        if reason := self._unsigned(request):
            return _reply(_UNSIGNED, reason, None)
        try:
            data = answer(await _asked(request))
        except UnreadableError as error:
            return _reply(_UNREADABLE, str(error), None)
        if data is None:
            return _reply(_NOT_FOUND, "no such order", None)
        return _reply(_SUCCESS, "success", data)

    def _unsigned(self, request: Request) -> str:
        """Why a call is refused; empty where its signature is right."""
        headers = request.headers
        timestamp, nonce = headers.get("timestamp", ""), headers.get("nonce-str", "")
        if len(nonce) != _NONCE_CHARS:
            return "nonce-str must have 32 characters"
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) in {10, 13}):
            return "timestamp must be seconds or milliseconds"
        sent_s = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
        if abs(self._now() - sent_s) > _TOLERANCE_S:
            return "timestamp out of range"
        if headers.get("access-key", "") != self._account.access_key:
            return "unknown access-key"
        expected = xport_signature(self._account.access_key, timestamp, nonce, self._account.secret)
        given = headers.get("signature", "")
        return "" if hmac.compare_digest(expected.encode(), given.encode()) else "bad signature"

    def _alibaba_order(self, asked: Asked) -> dict[str, Any] | None:
        if asked.get("webSite") != "1688":
            raise UnreadableError("webSite must be 1688")
        order = self._named(asked, "1688", "orderId")
        return order_detail(order, self._book.now()) if order else None

    def _alibaba_traces(self, asked: Asked) -> list[dict[str, Any]] | None:
        order = self._named(asked, "1688", "orderId")
        return alibaba_traces(order, asked.get("logisticsId")) if order else None

    def _taobao_order(self, asked: Asked) -> dict[str, Any] | None:
        order = self._named(asked, "taobao", *_ORDER_PARAMETERS)
        return taobao_order(order) if order else None

    def _taobao_trace(self, asked: Asked) -> dict[str, Any] | None:
        line_id = _text(asked, "subPurchaseOrderId")
        order = self._book.find_by_line("taobao", line_id)
        return taobao_trace(order) if order else None

    def _named(self, asked: Asked, channel: Channel, *names: str) -> Order | None:
        return self._book.find(channel, _text(asked, *names))


async def _asked(request: Request) -> Asked:
    """The parameters: the query of a GET, the JSON object of a POST."""
    if request.method != "POST":
        return dict(request.query_params)
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body must be JSON") from error
    if not isinstance(body, dict):
        raise UnreadableError("the body must be a JSON object")
    return body


def _text(asked: Asked, *names: str) -> str:
    """The first of the parameters that is there; these calls' ids are strings."""
    given = next((asked[name] for name in names if asked.get(name)), None)
    if not isinstance(given, str):
        raise UnreadableError(f"{' or '.join(names)} must be a string")
    return given


def _reply(code: int, msg: str, data: Any) -> JSONResponse:
    """The reply envelope (docs/platform/api.md#reply-envelope)."""
    return JSONResponse(
        {
            "requestId": secrets.token_hex(8),
            "code": code,
            "developId": "10001",
            "msg": msg,
            "data": data,
        }
    )
