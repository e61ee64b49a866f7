"""Sends calls: each waits for its turn, is tried again where that is safe, and is observed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from receiver.client import trail
from receiver.client.admission import Admission
from receiver.client.availability import Availability
from receiver.client.clock import PlatformClock
from receiver.client.endpoint import Endpoint, Outgoing, Route, outgoing
from receiver.client.exchange import Exchange
from receiver.client.observer import CallRecord, Observer
from receiver.client.replies import Reply, read_reply
from receiver.client.retries import LONGEST_WAIT_S, Retries
from receiver.errors import (
    APIError,
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
)
from receiver.settings import APISettings

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Policies:
    """How calls are kept in bounds: their turn, their retries, a platform that is away."""

    admission: Admission
    retries: Retries
    availability: Availability
    sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep


class PlatformTransport:
    """One account's way to the API. `routes` are those of the endpoints, by name.

    A `Sender`: every call goes through `call`.
    """

    def __init__(
        self,
        settings: APISettings,
        *,
        routes: Mapping[str, Route],
        exchange: Exchange,
        policies: Policies,
        clock: PlatformClock,
        observer: Observer,
    ) -> None:
        self._edition = settings.edition
        self._settle_s = settings.settle_s
        self._routes = routes
        self._exchange = exchange
        self._policies = policies
        self._clock = clock
        self._observer = observer

    async def call(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        """Make one call and give what `read` makes of the reply; raises `APIError`.

        It is made again by itself where that is safe (`Retries`).
        """
        route = self._route(endpoint)
        going = outgoing(endpoint, route, arguments)
        policies = self._policies
        with (
            trail.calling(endpoint),
            self._observer.observed(endpoint, route, arguments) as record,
        ):
            while True:
                policies.availability.check(endpoint)
                async with policies.admission.turn():
                    policies.availability.enter(endpoint)
                    try:
                        return await self._tried(record, going, route, read)
                    except APIError as error:
                        if (pause_s := self._pause_s(record, error)) is None:
                            raise
                await policies.sleep(pause_s)

    async def _tried(
        self,
        record: CallRecord,
        going: Outgoing,
        route: Route,
        read: Callable[[Reply], ResultT],
    ) -> ResultT:
        sent_at = self._clock.platform_time()
        try:
            with record.tried():
                answer = await self._exchange.send(record.endpoint, going)
                self._clock.note(answer.date)
                reply = read_reply(
                    record.endpoint,
                    answer,
                    now=self._clock.platform_time(),
                    sure=route.certainty != "unknown",
                )
                result = read(reply)
        except OutcomeUnknownError as error:
            error.sent_at = sent_at
            error.final_at = asyncio.get_running_loop().time() + self._settle_s
            raise
        record.reply = reply
        self._policies.availability.answered()
        return result

    def _pause_s(self, record: CallRecord, error: APIError) -> float | None:
        """How long to wait until the next try; None where there is none."""
        if isinstance(error, InvalidRequestError):  # which says nothing of the platform
            return None
        self._policies.availability.failed(error)
        wished_s = error.retry_after_s or 0.0
        if isinstance(error, RateLimitedError) and wished_s <= LONGEST_WAIT_S:
            self._policies.admission.hold(wished_s)
        return self._policies.retries.pause_s(record.endpoint, error, record.attempt)

    def _route(self, endpoint: Endpoint) -> Route:
        route = self._routes.get(endpoint.name)
        if route is None:
            raise InvalidRequestError(
                f"{endpoint.name}: edition {self._edition!r} has no such call that we know of: "
                f"write its path under api.paths.{endpoint.name}, or change api.edition"
            )
        return route
