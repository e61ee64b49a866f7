"""What authors of handlers write against: the context, its signals, a handler's shape. No I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog

from receiver.event import Event
from receiver.projection.state import Arrival, OrderState
from schemas.events import EventData

if TYPE_CHECKING:
    import httpx2

    from receiver.client.platform import PlatformAPI

_ResultT = TypeVar("_ResultT")

HandlerResult = EventData | Sequence[EventData] | None
"""What a handler may return: an event's data, several, or nothing."""


class HandlerSignal(Exception):  # noqa: N818 - a signal, not an error
    """Raised by a handler to steer what happens to its event; not an error."""


class Retry(HandlerSignal):
    """Run the handler on this event again, `after` seconds or a timedelta from now.

    Without `after` the delay is the policy's. Every run counts as an attempt; a handler that
    polls bounds itself by `ctx.attempt`.
    """

    def __init__(self, after: float | timedelta | None = None, reason: str = "") -> None:
        super().__init__(reason)
        seconds = after.total_seconds() if isinstance(after, timedelta) else after
        if seconds is not None and not seconds >= 0:
            raise ValueError("Retry(after=...) takes seconds or a timedelta that is not negative")
        self.after_s = seconds
        self.reason = reason


class Drop(HandlerSignal):
    """Be done with the event and leave nothing behind; `reason` is logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Resolve = Callable[[], Awaitable[bool | None] | bool | None]
"""Asks what became of an effect: True where it happened, False where it did not, None where that is
not known yet."""


class Effect(Protocol):
    """An effect that happens once, in the body of `with ctx.once(...)`."""

    @property
    def due(self) -> bool:
        """Whether to do it now: False where it was done before. The body has to ask."""

    @property
    def key(self) -> str:
        """The same text whenever this effect is tried: what to pass where the other side takes a
        number of the caller's, so that `resolve` can ask by it.
        """

    @property
    def result(self) -> Any:
        """What was kept of it, as JSON gives it back; None where nothing was. Set it in the body:
        anything that JSON can say, in 8 kB. Where that does not hold, setting it raises
        `ConfigurationError`, the effect counts as done, and reading it later raises the same.
        """

    @result.setter
    def result(self, value: Any) -> None: ...


class Once(Protocol):
    """What `ctx.once` gives: for `async with` in coroutine functions, for `with` in plain ones."""

    async def __aenter__(self) -> Effect: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def __enter__(self) -> Effect: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Context(Protocol):
    """What a handler is given beside the event."""

    @property
    def api(self) -> PlatformAPI:
        """The platform's API; raises `ConfigurationError` where none is configured."""

    @property
    def http(self) -> httpx2.AsyncClient:
        """An HTTP client that the handlers of this process share, so that connections are used
        again. It follows no redirect, keeps no cookies, waits 30 s by default and takes a proxy
        from the environment; it is closed when the handlers stop.
        """

    @property
    def log(self) -> structlog.typing.FilteringBoundLogger:
        """A logger with the event and the handler bound."""

    @property
    def attempt(self) -> int:
        """Which run of this event by this handler this is, from 1."""

    @property
    def timer(self) -> str | None:
        """The key of the timer that this run is of; None where the event itself came."""

    @property
    def arrival(self) -> Arrival:
        """What the event was to its order when it came in (docs/handlers.md#order-state).

        - `advance`: it brought something new;
        - `stale`: what it says was known, or was over by then;
        - `conflict`: it takes back what was newer or higher, and the API could not be asked;
        - `duplicate`: the same fact as an earlier event.

        The same in each attempt and in a replay. An event without an order is an `advance`. Raises
        `ConfigurationError` without `@router.on(..., state=True)`.
        """

    def order(self) -> Awaitable[OrderState]:
        """What is known of the event's order, from all its events up to this one at least, and
        later ones where they were folded already.

        Raises `ConfigurationError` for an event without an order, `BusError`.
        """

    @property
    def settings(self) -> Any:
        """The handler's own settings, an instance of the model that `@router.on(settings=...)`
        gives; None without one.
        """

    def now(self) -> datetime:
        """The time now, in UTC; in a test by the clock of the kit."""

    def wait(self, awaitable: Awaitable[_ResultT]) -> _ResultT:
        """What a plain function awaits, such as `ctx.wait(ctx.publish(data))`: it runs on the
        event loop while this thread waits.
        """

    def schedule(
        self,
        *,
        key: str,
        after: float | timedelta | None = None,
        at: datetime | None = None,
    ) -> Awaitable[None]:
        """Run this handler on this event again: `after` seconds or a timedelta from now, or `at` a
        time with its offset; at once where that is past. `ctx.timer` is `key` in that run, whose
        attempts count from 1.

        A key, of 1 to 1000 characters, names one timer of this handler and this order: setting it
        again, be it in a rerun or for another event of the order, replaces it. An event without an
        order has timers of its own. Raises `ConfigurationError` for a time after which the stream
        would have dropped it (`nats.max_age_days`), `BusError` where it is not stored.
        """

    def cancel(self, key: str) -> Awaitable[None]:
        """Take away the timer of `schedule`; also one that has fired and whose run did not begin.
        Does nothing where there is none. Raises `BusError`.
        """

    def publish(self, data: EventData) -> Awaitable[Event[EventData]]:
        """Publish an event now, before the handler is done; raises `BusError`, and
        `ConfigurationError` in the body of `once`: publish behind that, by what `result` holds.

        Its id is made from the cause, the handler and its place in this run, so a rerun that
        publishes in the same order publishes nothing twice.
        """

    def once(
        self,
        name: str,
        *,
        key: str | None = None,
        resolve: Resolve | None = None,
        safe: Sequence[type[BaseException]] = (),
    ) -> Once:
        """An effect that happens once for the event's fact, or for a `key` of your own, whatever
        comes again: retries, retransmissions, replays, other processes.

            async with ctx.once("notify-warehouse", resolve=was_it_sent) as effect:
                if effect.due:
                    effect.result = await warehouse.send(...)

        An error in the body leaves open whether it happened, unless the error says that it did not:
        `Retry`, `Drop`, a refusal or a call that was not sent, a connection that did not come
        about, and what `safe` names. Then `resolve` is asked by the next run; without it the event
        becomes a dead letter, and `yizhan doubt` is for its operator. Entering raises `Retry` while
        the body runs elsewhere, and where `resolve` gives None.
        """


HandlerFunction = Callable[[Event[Any], Context], Awaitable[HandlerResult] | HandlerResult]
"""A coroutine function runs on the event loop, a plain one in a thread."""
