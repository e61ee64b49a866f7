"""`/healthz`: the process lives. `/readyz`: a message can be stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from receiver.errors import BusError
from receiver.spool.file import SpoolState

Probe = Callable[[], Awaitable[None]]
SpoolProbe = Callable[[], Awaitable[SpoolState]]


class HealthEndpoints:
    """`probe` raises `BusError` where the log could not take a message, `spool` where the spool
    could not; `warnings` gives what to know of a log that can.
    """

    def __init__(
        self,
        probe: Probe,
        spool: SpoolProbe | None = None,
        *,
        warnings: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._probe = probe
        self._spool = spool
        self._warnings = warnings

    async def healthz(self, request: Request) -> Response:
        """200 as long as requests are answered at all."""
        return JSONResponse({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        """200 where the stream or, in its place, the spool can take a message, else 503."""
        reasons: list[str] = []
        details: dict[str, Any] = {}
        try:
            await self._probe()
        except BusError as error:
            reasons.append(str(error))
        if self._spool is not None:
            try:
                details["spool"] = _spool_details(await self._spool())
            except BusError as error:
                reasons.append(str(error))
        if warnings := list(self._warnings()):
            details["warnings"] = warnings
        if len(reasons) > (self._spool is not None):
            failed = {"status": "not ready", "reason": "; ".join(reasons)}
            return JSONResponse(failed | details, status_code=503)
        why = {"reason": reasons[0]} if reasons else {}
        return JSONResponse({"status": "ready"} | why | details)


def _spool_details(state: SpoolState) -> dict[str, float]:
    return {"depth": state.depth, "oldest_age_s": round(state.oldest_age_s, 1)}
