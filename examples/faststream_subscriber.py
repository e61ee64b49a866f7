"""Shipments, typed, with FastStream (`pip install "faststream[nats]"`) and Yizhan's schemas.

    NATS_URL=nats://127.0.0.1:4222 python examples/faststream_subscriber.py

A function that raises leaves its message unacknowledged: it comes again.
"""

from __future__ import annotations

import asyncio
import os

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub

from yizhan.events import LogisticsShipped

NATS_URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
ROOT = os.environ.get("SUBJECT_ROOT", "yizhan")
DURABLE = "example-faststream"

broker = NatsBroker(NATS_URL)
app = FastStream(broker)


@broker.subscriber(
    f"{ROOT}.events.*.logistics.shipped.*",
    stream=JStream(ROOT.upper(), declare=False),  # the stream is Yizhan's: never set it up here
    durable=DURABLE,
    pull_sub=PullSub(batch_size=100),
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
async def on_shipped(data: LogisticsShipped) -> None:
    """FastStream validates the body as the model and acknowledges when this returns.

    What must happen once belongs in a table under the header `ce-factid` (`NatsMessage.headers`).
    """
    for parcel in data.parcels:
        print(f"{data.order_id} shipped with {parcel.carrier}: {parcel.waybill_no}", flush=True)


if __name__ == "__main__":
    asyncio.run(app.run())
