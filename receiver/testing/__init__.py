"""What tests of handlers need, so that they need not patch Yizhan.

`receiver.testing.fake_api` is not imported here: the models of all API calls take a while to load.
"""

from receiver.testing.clock import NOON, ManualClock
from receiver.testing.events import make_event, retransmitted
from receiver.testing.kit import Kit, run_handler
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.testing.waiting import eventually, handled

__all__ = [
    "NOON",
    "HandlerRun",
    "Kit",
    "ManualClock",
    "RecordingPublisher",
    "eventually",
    "handled",
    "make_event",
    "retransmitted",
    "run_handler",
]
