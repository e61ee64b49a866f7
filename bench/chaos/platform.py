"""A platform that fails as it is told, and remembers what it did.

Of a hundred requests thirty are answered 500, ten not at all in time, and five by garbage; now and
then a row of requests gets 429. A change is made before such a fault or not at all, by the toss of
a coin, so that a client cannot know.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.times import CHINA

Fault = Literal["none", "error", "silence", "garbage", "limited"]
Key = tuple[str, str]

_ERRORS, _SILENCES, _GARBAGE = 0.30, 0.10, 0.05
_BURST_EVERY, _BURST = 500, 20
_TIME = "%Y%m%d%H%M%S"


@dataclass
class ChaoticPlatform:
    """Serves orders and cases of any id. `silence_s` is longer than its clients wait."""

    silence_s: float
    seed: int = 1
    asked: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    made: Counter[Key] = field(default_factory=Counter)
    """How often each change was made: cancel, pay and withdraw by id, create by specification."""
    signed_ms: list[int] = field(default_factory=list)
    """When each request was signed, which is when it was sent, by the clock of its sender."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._created: list[dict[str, Any]] = []

    def app(self) -> Starlette:
        """The ASGI application."""
        post, get = ["POST"], ["GET"]
        return Starlette(
            routes=[
                Route("/v2/alibaba/order/detail", self._detail, methods=post),
                Route("/v2/alibaba/order/page", self._list, methods=post),
                Route("/v2/alibaba/order/cancel", self._cancel, methods=post),
                Route("/v2/alibaba/order/pay/url", self._pay, methods=get),
                Route("/v2/alibaba/order/create", self._create, methods=post),
                Route("/v2/taobao/order/refund/query", self._case, methods=get),
                Route("/v2/taobao/order/refund/cancel/{case}", self._withdraw, methods=get),
            ]
        )

    async def _detail(self, request: Request) -> Response:
        order_id = (await request.json())["orderId"]
        status = "waitbuyerpay"
        if self.made["pay", order_id]:
            status = "waitsellersend"
        if self.made["cancel", order_id]:
            status = "cancel"
        return await self._answer(request, {"baseInfo": {"idOfStr": order_id, "status": status}})

    async def _list(self, request: Request) -> Response:
        asked = await request.json()
        size, since = asked["pageSize"], asked["createStartTime"][:14]
        found = [order for order in self._created if order["baseInfo"]["createTime"] >= since]
        first = (asked["page"] - 1) * size
        rows = {"totalRecord": len(found), "result": found[first : first + size]}
        return await self._answer(request, rows)

    async def _case(self, request: Request) -> Response:
        case = request.query_params["refundId"]
        status = -20 if self.made["withdraw", case] else 10
        return await self._answer(
            request, {"refundOrder": {"refundId": case, "refundStatus": status}}
        )

    async def _cancel(self, request: Request) -> Response:
        key = ("cancel", str((await request.json())["orderId"]))
        return await self._change(request, key, {"success": True})

    async def _pay(self, request: Request) -> Response:
        key = ("pay", request.query_params["orderId"])
        return await self._change(request, key, {"protocolPaySuccess": True})

    async def _withdraw(self, request: Request) -> Response:
        key = ("withdraw", request.path_params["case"])
        return await self._change(request, key, {"cancelSuccess": True})

    async def _create(self, request: Request) -> Response:
        (line,) = (await request.json())["cargoParamList"]
        order = {
            "baseInfo": {
                "idOfStr": f"1{self.asked}",
                "createTime": datetime.now(CHINA).strftime(_TIME),
            },
            "productItems": [{"specId": line["specId"], "quantity": line["quantity"]}],
        }
        key = ("create", line["specId"])
        return await self._change(request, key, {"orderId": f"1{self.asked}"}, order)

    async def _change(
        self, request: Request, key: Key, data: Any, order: dict[str, Any] | None = None
    ) -> Response:
        fault = self._fault()
        if fault == "none" or (fault != "limited" and self._chance.random() < 0.5):
            self.made[key] += 1
            self._created += [order] if order else []
        return await self._answer(request, data, fault)

    async def _answer(self, request: Request, data: Any, fault: Fault | None = None) -> Response:
        self.signed_ms.append(int(request.headers["timestamp"]))
        fault = fault or self._fault()
        if fault == "error":
            return Response("", 500)
        if fault == "garbage":
            return Response("<html>", 200)
        if fault == "limited":
            wish = str(self.asked // _BURST_EVERY % 2)  # a second, or none at all
            return Response("", 429, {"retry-after": wish})
        if fault == "silence":
            await asyncio.sleep(self.silence_s)
        return JSONResponse({"requestId": "r", "code": 200, "msg": "success", "data": data})

    def _fault(self) -> Fault:
        """What becomes of the next request."""
        self.asked += 1
        fault: Fault = "none"
        drawn = self._chance.random()
        if self.asked % _BURST_EVERY < _BURST:
            fault = "limited"
        elif drawn < _ERRORS:
            fault = "error"
        elif drawn < _ERRORS + _SILENCES:
            fault = "silence"
        elif drawn < _ERRORS + _SILENCES + _GARBAGE:
            fault = "garbage"
        self.faults[fault] += 1
        return fault
