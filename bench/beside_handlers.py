"""Handlers that behave badly, beside the one that is measured: each is a router of its own."""

from __future__ import annotations

import asyncio
import sys
import time

from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import PaymentSucceeded

BLOCKED_S = 2.0

blocking, exiting, hanging = Router(), Router(), Router()


@blocking.on(PaymentSucceeded)
async def block(event: Event[PaymentSucceeded], ctx: Context) -> None:
    """Keep the event loop from everything else."""
    time.sleep(BLOCKED_S)  # noqa: ASYNC251 - that is what is measured


@exiting.on(PaymentSucceeded)
async def leave(event: Event[PaymentSucceeded], ctx: Context) -> None:
    """End the interpreter, as a library does that takes itself for a program."""
    sys.exit(1)


@hanging.on(PaymentSucceeded)
async def hang(event: Event[PaymentSucceeded], ctx: Context) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()
