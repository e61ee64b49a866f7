"""`/healthz`: the process lives. `/readyz`: a message can be stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receiver.errors import BusError

Probe = Callable[[], Awaitable[None]]


class HealthEndpoints:
    """`probe` raises `BusError` where the log could not take a message."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def healthz(self, request: Request) -> Response:
        """200 as long as requests are answered at all."""
        return JSONResponse({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        """200 where the stream answers, else 503 with the reason."""
        try:
            await self._probe()
        except BusError as error:
            return JSONResponse({"status": "not ready", "reason": str(error)}, status_code=503)
        return JSONResponse({"status": "ready"})
