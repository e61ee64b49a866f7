"""FastAPI that does by hand what Yizhan does for a callback; `paid_order.py` says what is equal."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import AsyncIterator

import nats
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from bench.servers.paid_order import SignatureError, take


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One connection for the life of the process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    client = await nats.connect(os.environ["BENCH_NATS_URL"])
    app.state.jetstream = client.jetstream()
    yield
    await client.close()


app = FastAPI(lifespan=lifespan)


@app.post("/callbacks")
async def callback(request: Request) -> JSONResponse:
    """Verify, read, store both messages, then answer."""
    try:
        raw = await take(
            request.app.state.jetstream, request.headers, await request.body(), root="equal_work"
        )
    except SignatureError as error:
        raise HTTPException(401) from error
    except ValidationError as error:
        raise HTTPException(400) from error
    return JSONResponse({"outcome": "stored", "seq": raw.seq})
