"""What authors of handlers import; the rest of Yizhan may move, this stays.

    from yizhan import Context, Drop, Event, Retry, RetryPolicy, Router
    from yizhan.events import OrderCreated
    from yizhan.testing import make_event, run_handler

`yizhan.events` holds the models, `yizhan.api` the platform's API, `yizhan.client` the same API by
itself, for scripts, `yizhan.testing` what tests of handlers need, `yizhan.dialects` what a wire
format of your own is made of.
"""

from receiver.event import Event
from receiver.projection.state import Arrival, OrderState
from receiver.worker.interface import Context, Drop, Retry
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Router

__all__ = [
    "Arrival",
    "Context",
    "Drop",
    "Event",
    "OrderState",
    "Retry",
    "RetryPolicy",
    "Router",
]
