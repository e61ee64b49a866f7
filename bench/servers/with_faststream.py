"""FastStream's FastAPI integration: a route that awaits its broker's publish to a stream."""

import os

from fastapi import FastAPI, Request
from faststream.nats.fastapi import NatsRouter

router = NatsRouter(os.environ["BENCH_NATS_URL"], logger=None)


@router.post("/callbacks")
async def callback(request: Request):
    """Store the body, then answer."""
    ack = await router.broker.publish(
        await request.body(), "with_faststream.callbacks", stream="WITH_FASTSTREAM"
    )
    return {"seq": ack.seq}


app = FastAPI()
app.include_router(router)
