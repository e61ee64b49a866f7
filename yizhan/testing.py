"""What tests of handlers need: make an event, run a handler on it, see what it did.

    kit = Kit(ship_it)
    ran = await kit.run(make_event(PaymentSucceeded(channel="1688", order_id="1")))
    assert ran.outcome == "done"

No NATS and no network: the handler runs just as a worker runs it. `FakeAPI` is the platform's API,
answered by the test, by examples or by a recording (docs/api-client.md#recordings).
"""

from receiver.client.replay_transport import ReplayTransport
from receiver.testing import (
    NOON,
    HandlerRun,
    Kit,
    ManualClock,
    RecordingPublisher,
    make_event,
    run_handler,
)
from receiver.testing.fake_api import Asked, FakeAPI
from receiver.testing.real import RealKit
from receiver.worker.retry_policy import RetryPolicy

__all__ = [
    "NOON",
    "Asked",
    "FakeAPI",
    "HandlerRun",
    "Kit",
    "ManualClock",
    "RealKit",
    "RecordingPublisher",
    "ReplayTransport",
    "RetryPolicy",
    "make_event",
    "run_handler",
]
