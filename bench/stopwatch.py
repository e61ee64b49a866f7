"""A handler that takes the time from a callback's arrival to the handler's start."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import PaymentSucceeded

TIMES = "BENCH_TIMES"
"""The environment variable that names the file for the times, in ms, one a line."""

router = Router()
_out = Path(os.environ.get(TIMES, os.devnull)).open(  # noqa: SIM115 - open as long as we run
    "a", encoding="ascii", buffering=1
)


@router.on(PaymentSucceeded)
async def take_time(event: Event[PaymentSucceeded], ctx: Context) -> None:
    """Write down how long ago the callback of this event arrived."""
    _out.write(f"{(datetime.now(UTC) - event.received_at).total_seconds() * 1000:.3f}\n")
