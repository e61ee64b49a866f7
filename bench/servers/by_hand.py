"""What one writes by hand: FastAPI, and one `js.publish` awaited. Nothing is checked or typed."""

import contextlib
import os

import nats
from fastapi import FastAPI, Request


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    """One connection for the life of the process."""
    client = await nats.connect(os.environ["BENCH_NATS_URL"])
    app.state.jetstream = client.jetstream()
    yield
    await client.close()


app = FastAPI(lifespan=lifespan)


@app.post("/callbacks")
async def callback(request: Request):
    """Store the body, then answer."""
    ack = await request.app.state.jetstream.publish("by_hand.callbacks", await request.body())
    return {"seq": ack.seq}
