"""The platform's API as one object, with its calls in groups."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from receiver.client.account import account_of, account_of_file
from receiver.client.admission import Admission
from receiver.client.availability import Availability
from receiver.client.calls.addresses import Addresses
from receiver.client.calls.alibaba_cart import AlibabaCart
from receiver.client.calls.alibaba_orders import AlibabaOrders
from receiver.client.calls.alibaba_products import AlibabaProducts
from receiver.client.calls.alibaba_refunds import AlibabaRefunds
from receiver.client.calls.registry import resolve_routes
from receiver.client.calls.taobao_cart import TaobaoCart
from receiver.client.calls.taobao_orders import TaobaoOrders
from receiver.client.calls.taobao_products import TaobaoProducts
from receiver.client.calls.taobao_refunds import TaobaoRefunds
from receiver.client.calls.warehouse import Warehouse
from receiver.client.clock import PlatformClock
from receiver.client.exchange import Exchange, base_url
from receiver.client.observer import Observer
from receiver.client.priority import ORDER, Priority
from receiver.client.rate_limit import AccountSlots, OwnSlots, SharedSlots
from receiver.client.retries import Retries
from receiver.client.sender import Prioritised, Sender
from receiver.client.signing import Signer
from receiver.client.transport import PlatformTransport, Policies
from receiver.errors import ConfigurationError, InvalidRequestError
from receiver.observability.call_counts import CallCounts
from receiver.observability.logs import only_warnings
from receiver.settings import APISettings


class AlibabaAPI:
    """The calls about 1688, in the groups of the platform's menu."""

    def __init__(self, sender: Sender) -> None:
        self.products = AlibabaProducts(sender)
        self.orders = AlibabaOrders(sender)
        self.cart = AlibabaCart(sender)
        self.refunds = AlibabaRefunds(sender)


class TaobaoAPI:
    """The calls about Taobao, in the groups of the platform's menu."""

    def __init__(self, sender: Sender) -> None:
        self.products = TaobaoProducts(sender)
        self.orders = TaobaoOrders(sender)
        self.cart = TaobaoCart(sender)
        self.refunds = TaobaoRefunds(sender)


class PlatformAPI:
    """One account's calls: `alibaba` for 1688, `taobao` for Taobao, `addresses`, `warehouse`.

        async with PlatformAPI.open(access_key="...", secret="...") as api:
            parcels = (await api.alibaba.orders.logistics(order_id)).traces

    docs/api.md lists them all.

    Safe to share between tasks of one event loop; they share one pace. Close it when done.
    `counts` says how the calls ended.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        http: httpx2.AsyncClient,
        counts: CallCounts,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self.alibaba = AlibabaAPI(sender)
        self.taobao = TaobaoAPI(sender)
        self.addresses = Addresses(sender)
        self.warehouse = Warehouse(sender)
        self.counts = counts
        self._sender = sender
        self._http = http
        self._close = close

    @classmethod
    def open(
        cls,
        settings: APISettings | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        shared: SharedSlots | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        **account: Any,
    ) -> Self:
        """The calls of one account over a new HTTP client; nothing is sent yet.

        Raises `ConfigurationError` where the settings cannot be used. `account` are the settings of
        `[api]` by name, in place of `settings`. `transport` stands in for the network; `shared` is
        what divides the rate among processes; `now` is this machine's time, `sleep` the wait for
        our turn and before another try.
        """
        if settings is None:
            only_warnings()
            settings = account_of(account)
        elif account:
            raise ConfigurationError("give the settings, or their values by name: not both")
        clock = PlatformClock(now, corrected=settings.clock == "server")
        http = _http_client(settings, transport)
        policies = _policies(settings, shared, now, sleep)
        observer = Observer(base_url(settings).host)
        admission, availability = policies.admission, policies.availability
        observer.counts.load = lambda: (admission.waiting, availability.is_open)
        calls = PlatformTransport(
            settings,
            routes=resolve_routes(settings.edition, settings.paths),
            exchange=Exchange(settings, http=http, signer=Signer(settings, clock=clock)),
            policies=policies,
            clock=clock,
            observer=observer,
        )

        async def close() -> None:
            await policies.admission.aclose()
            await http.aclose()

        return cls(calls, http=http, counts=observer.counts, close=close)

    def with_priority(self, priority: Priority) -> PlatformAPI:
        """The same calls, which wait for the account's rate behind those of a higher priority.

        `live` goes before `replay`, that before `sweep`. It is closed with this one.
        """
        if priority not in ORDER:
            raise InvalidRequestError(f"priority: one of {', '.join(ORDER)}")
        sender = Prioritised(self._sender, priority)
        return PlatformAPI(sender, http=self._http, counts=self.counts, close=_nothing)

    @classmethod
    def from_file(
        cls,
        file: str | Path | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> Self:
        """As `open`, on the section `[api]` of a settings file.

        Without `file` it is the one that the commands read: `YIZHAN_CONFIG`, else `yizhan.toml`
        where it exists; variables `YIZHAN_API__...` override it.
        """
        only_warnings()
        return cls.open(account_of_file(file), transport=transport)

    @property
    def http(self) -> httpx2.AsyncClient:
        """The HTTP client of all calls, whose event hooks see every exchange."""
        return self._http

    async def aclose(self) -> None:
        """Close the connections; calls under way fail."""
        await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _nothing() -> None:
    """What a view closes."""


def _policies(
    settings: APISettings,
    shared: SharedSlots | None,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[Any]],
) -> Policies:
    rate_per_s = settings.rate_per_s
    slots = OwnSlots(rate_per_s) if shared is None else AccountSlots(shared, rate_per_s)
    return Policies(
        Admission(slots, settings.concurrency, sleep=sleep),
        Retries(settings.tries, settings.retry_pause_s),
        Availability(settings.breaker_failures, settings.breaker_pause_s, now=now),
        sleep,
    )


def _http_client(
    settings: APISettings, transport: httpx2.AsyncBaseTransport | None
) -> httpx2.AsyncClient:
    url = base_url(settings)
    is_local = _is_loopback(url.host)
    is_plain = is_local and url.scheme == "http"
    return httpx2.AsyncClient(
        transport=transport,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if is_plain
        else True,  # reads no authorities
        timeout=httpx2.Timeout(
            settings.timeout_s,
            connect=settings.connect_timeout_s,
            read=settings.read_timeout_s,
        ),
        limits=httpx2.Limits(max_connections=settings.concurrency),
        headers={"accept": "application/json", "user-agent": "yizhan"},
        trust_env=not is_local,
    )


def _is_loopback(host: str) -> bool:
    """Whether a proxy of the environment would be in the way: the simulator runs on loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
