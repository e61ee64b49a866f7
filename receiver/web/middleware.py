"""ASGI middleware. A request on the fast path does not pass through it: there the connection waits
for the turn, and `CallbackEndpoint.take` catches defects.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from receiver.observability.logs import get_logger
from receiver.web import answers
from receiver.web.connection.limits import ConnectionLimits


class ErrorMiddleware:
    """Turns a defect of ours into a bare 500 and one log line, so that the process goes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = get_logger("yizhan.receiver")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer 500 where nothing was answered yet."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the top of a request
            self._log.error("request_failed", error=type(error).__name__, exc_info=True)
            if not begun:
                await answers.send_json(send, 500, answers.BODIES[500])


class AdmissionMiddleware:
    """Lets a request begin in its turn; one that waited too long for it is answered 503."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if await self._limits.admission.wait():
            self._limits.refused("overloaded")
            await answers.send_json(send, 503, answers.BODIES[503])
        else:
            await self._app(scope, receive, send)
