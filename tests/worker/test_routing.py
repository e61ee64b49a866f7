"""Registration: what the router takes, and what it says about what it does not take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from receiver.errors import ConfigurationError, YizhanError
from receiver.event import Event
from receiver.worker.interface import Context, Drop, HandlerSignal, Retry
from receiver.worker.routing import Router
from schemas.events import (
    EventData,
    LogisticsShipped,
    LogisticsTracked,
    OrderClosed,
    OrderCompleted,
    OrderCreated,
    OrderPriceChanged,
    OrderStatusChanged,
    PaymentSucceeded,
)


async def tell(event: Event[EventData], ctx: Context) -> None:
    ctx.log.info("told", order=event.order_id)


def test_a_handler_is_registered_under_its_functions_name() -> None:
    router = Router(needs_api=True)

    @router.on(LogisticsShipped)
    async def fetch_tracking(
        event: Event[LogisticsShipped], ctx: Context
    ) -> LogisticsTracked | None:
        return LogisticsTracked(channel=event.data.channel) if ctx.attempt else None

    (handler,) = router.handlers
    assert handler.name == "fetch_tracking"
    assert handler.durable == "handler-fetch_tracking"
    assert handler.models == (LogisticsShipped,)
    assert handler.needs_api


def test_the_decorated_function_stays_what_it_is() -> None:
    router = Router()
    assert router.on(OrderCreated)(tell) is tell


def test_one_handler_takes_several_models() -> None:
    router = Router()

    @router.on(OrderCreated, OrderClosed)
    async def audit(
        event: Event[OrderCreated | OrderClosed], ctx: Context
    ) -> Sequence[OrderCompleted]:
        return [OrderCompleted(channel=event.data.channel)]

    assert router.handlers[0].models == (OrderCreated, OrderClosed)


def test_beyond_five_models_any_event_is_taken() -> None:
    router = Router()
    router.on(
        OrderCreated,
        OrderClosed,
        OrderCompleted,
        OrderPriceChanged,
        OrderStatusChanged,
        PaymentSucceeded,
    )(tell)
    assert len(router.handlers[0].models) == 6


def test_the_type_checker_refuses_another_event_or_result() -> None:
    """The ignores below are needed, or `mypy --strict` would call them unused."""
    router = Router()

    @router.on(OrderCreated)  # type: ignore[arg-type] # the wrong event, on purpose
    async def wrong_event(event: Event[OrderClosed], ctx: Context) -> None: ...

    @router.on(OrderCreated, OrderClosed)  # type: ignore[arg-type] # one of two, on purpose
    async def half(event: Event[OrderClosed], ctx: Context) -> None: ...

    @router.on(OrderCreated)  # type: ignore[type-var] # no event's data, on purpose
    async def wrong_result(event: Event[OrderCreated], ctx: Context) -> dict[str, str]:
        return {}

    assert len(router.handlers) == 3


def test_a_plain_function_is_registered_too() -> None:
    router = Router()

    @router.on(OrderCreated)
    def tell_now(event: Event[OrderCreated], ctx: Context) -> OrderCompleted | None:
        return OrderCompleted(channel=event.data.channel) if ctx.attempt > 1 else None

    assert router.handlers[0].function is tell_now


class Callable:
    def __call__(self, event: Event[OrderCreated], ctx: Context) -> None: ...


async def generate(event: Event[OrderCreated], ctx: Context) -> AsyncIterator[OrderCompleted]:
    yield OrderCompleted(channel="1688")


def generate_now(event: Event[OrderCreated], ctx: Context) -> Iterator[OrderCompleted]:
    yield OrderCompleted(channel="1688")


@pytest.mark.parametrize("function", [Callable(), Callable, generate, generate_now, "tell"])
def test_what_is_no_function_is_refused(function: Any) -> None:
    with pytest.raises(ConfigurationError, match="write `async def` or `def`"):
        Router().on(OrderCreated)(function)


async def _one(event: Event[OrderCreated]) -> None: ...
async def _three(event: Event[OrderCreated], ctx: Context, extra: str) -> None: ...
async def _any(*parts: object) -> None: ...
async def _keyword(event: Event[OrderCreated], *, ctx: Context) -> None: ...


@pytest.mark.parametrize("function", [_one, _three, _any, _keyword])
def test_any_other_number_of_parameters_is_refused(function: object) -> None:
    with pytest.raises(ConfigurationError, match=r"write exactly two, \(event, ctx\)"):
        Router().on(OrderCreated)(function)  # type: ignore[call-overload] # the misuse under test


@pytest.mark.parametrize("models", [(), (dict,), (EventData,), ("order.created",), (tell,)])
def test_what_is_no_event_model_is_refused(models: tuple[object, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"write one of yizhan\.events"):
        Router().on(*models)  # type: ignore[call-overload] # the misuse under test


def test_a_name_that_is_no_durable_is_refused() -> None:
    async def naïve(event: Event[OrderCreated], ctx: Context) -> None: ...  # noqa: PLC2401 - the misuse under test

    with pytest.raises(ConfigurationError, match="use at most 64 ASCII letters"):
        Router().on(OrderCreated)(naïve)


def test_a_name_used_twice_is_refused() -> None:
    router = Router()
    router.on(OrderCreated)(tell)
    with pytest.raises(ConfigurationError, match=r"two handlers are named 'tell'.*rename one"):
        router.on(OrderClosed)(tell)


def test_an_included_router_keeps_its_own_needs() -> None:
    inner, outer = Router(needs_api=True), Router()
    inner.on(OrderCreated)(tell)
    outer.include(inner)
    outer.include(inner)
    assert outer.handlers == inner.handlers
    assert outer.handlers[0].needs_api


def test_including_what_is_no_router_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="give it the module's `router`"):
        Router().include(tell)  # type: ignore[arg-type] # the misuse under test


def test_signals_are_no_errors() -> None:
    assert not issubclass(HandlerSignal, YizhanError)
    assert Drop("why").reason == "why"


@pytest.mark.parametrize(
    ("after", "seconds"), [(None, None), (2, 2), (0.5, 0.5), (timedelta(minutes=1), 60)]
)
def test_retry_takes_seconds_or_a_timedelta(
    after: float | timedelta | None, seconds: float | None
) -> None:
    assert Retry(after=after).after_s == seconds


@pytest.mark.parametrize("after", [-1, float("nan"), timedelta(seconds=-1)])
def test_retry_refuses_a_time_in_the_past(after: float | timedelta) -> None:
    with pytest.raises(ValueError, match="not negative"):
        Retry(after=after)
