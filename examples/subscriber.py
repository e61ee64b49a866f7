"""Every event, typed, with nats-py and Yizhan's schemas.

    NATS_URL=nats://127.0.0.1:4222 python examples/subscriber.py

The durable remembers how far it came: stop it, start it again, and it goes on from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

import nats
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingNewError

from yizhan.events import MODEL_OF_TYPE, LogisticsShipped

NATS_URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
ROOT = os.environ.get("SUBJECT_ROOT", "yizhan")
DURABLE = "example-python"


async def main() -> None:
    """Read events until interrupted."""
    client = await nats.connect(NATS_URL, name=DURABLE)
    try:
        subscription = await client.jetstream().pull_subscribe(
            f"{ROOT}.events.>", durable=DURABLE, stream=ROOT.upper()
        )
        task = asyncio.current_task()
        while task and not task.cancelling():  # `fetch` may take a cancellation for a timeout
            with contextlib.suppress(NothingNewError):
                for message in await subscription.fetch(batch=100, timeout=5):
                    await handle(message)
    finally:
        await client.flush()
        await client.close()  # `drain` may wait: `fetch` leaves what it took uncounted


async def handle(message: Msg) -> None:
    """Work first, acknowledge then: what is not acknowledged comes again after 30 s.

    What must happen once belongs in a table under `ce-factid`, the same for all events of one fact.
    """
    headers = message.headers or {}
    model = MODEL_OF_TYPE.get(headers["ce-type"].removeprefix("yizhan.").removesuffix(".v1"))
    if model is None:  # a type that was added after this program was written
        await message.ack()
        return
    data = model.model_validate_json(message.data)
    print(f"{headers['ce-id']} {data.event_type} {data.order_id}", flush=True)
    if isinstance(data, LogisticsShipped):
        for parcel in data.parcels:
            print(f"  shipped with {parcel.carrier}: {parcel.waybill_no}", flush=True)
    await message.ack()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
