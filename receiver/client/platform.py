"""The platform's API as one object, with its calls in groups."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx2

from receiver.client.calls.orders_1688 import AlibabaAPI
from receiver.client.calls.orders_taobao import TaobaoAPI
from receiver.client.calls.registry import resolve_paths
from receiver.client.rate_limit import RateLimit
from receiver.client.signing import Signer
from receiver.client.transport import PlatformTransport, base_url
from receiver.settings import APISettings


class PlatformAPI:
    """One account's calls: `alibaba` for 1688, `taobao` for Taobao.

        async with PlatformAPI.open(settings.api) as api:
            traces = await api.alibaba.order_logistics(order_id)

    Safe to share between tasks of one event loop; they share one pace. Close it when done.
    """

    def __init__(self, transport: PlatformTransport, *, http: httpx2.AsyncClient) -> None:
        self.alibaba = AlibabaAPI(transport)
        self.taobao = TaobaoAPI(transport)
        self._http = http

    @classmethod
    def open(
        cls,
        settings: APISettings,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> Self:
        """The calls of one account over a new HTTP client; nothing is sent yet.

        Raises `ConfigurationError` where the settings cannot be used. `transport` stands in for
        the network; `sleep` is the wait for our turn.
        """
        signer = Signer(settings, clock=clock)
        limit = RateLimit(settings.rate_per_s, sleep=sleep)
        http = httpx2.AsyncClient(
            transport=transport,
            timeout=settings.timeout_s,
            headers={"accept": "application/json", "user-agent": "yizhan"},
            trust_env=not _is_loopback(base_url(settings).host),
        )
        calls = PlatformTransport(
            settings,
            paths=resolve_paths(settings.edition, settings.paths),
            http=http,
            signer=signer,
            limit=limit,
            clock=clock,
        )
        return cls(calls, http=http)

    async def aclose(self) -> None:
        """Close the connections; calls under way fail."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _is_loopback(host: str) -> bool:
    """Whether a proxy of the environment would be in the way: the simulator runs on loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
