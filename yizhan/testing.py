"""What tests of handlers need: make an event, run a handler on it, see what it published.

    ran = await run_handler(ship_it, make_event(PaymentSucceeded(channel="1688", order_id="1")))
    assert ran.outcome == "done"

No NATS and no network: the handler runs just as a worker runs it. `ReplayTransport` answers its
calls of the API from a recording (docs/api-client.md#recordings).
"""

from receiver.client.replay_transport import ReplayTransport
from receiver.testing import NOON, HandlerRun, RecordingPublisher, make_event, run_handler
from receiver.worker.retry_policy import RetryPolicy

__all__ = [
    "NOON",
    "HandlerRun",
    "RecordingPublisher",
    "ReplayTransport",
    "RetryPolicy",
    "make_event",
    "run_handler",
]
