"""Which calls were made in a context, its tasks and threads included."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import Response

from receiver.client import trail
from receiver.client.platform import PlatformAPI
from receiver.errors import APIError
from tests.client.conftest import Platform


async def test_calls_are_gathered_in_order_also_those_that_fail(
    platform: Platform, api: PlatformAPI
) -> None:
    async def refuse(_: object) -> Response:
        return Response(status_code=503)

    platform.answering = refuse
    with trail.called() as names:
        for calling in (api.alibaba.orders.logistics("1"), api.taobao.orders.logistics("1")):
            with pytest.raises(APIError):
                await asyncio.ensure_future(calling)
    with pytest.raises(APIError):
        await api.alibaba.orders.detail("1")
    assert names == ["alibaba_orders_logistics", "taobao_orders_logistics"]


async def test_a_call_in_a_thread_is_gathered_too() -> None:
    with trail.called() as names:
        await asyncio.to_thread(trail.note, "alibaba_orders_detail")
    trail.note("alibaba_orders_detail")
    assert names == ["alibaba_orders_detail"]
