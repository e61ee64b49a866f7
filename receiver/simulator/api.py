"""The platform's API: every row of its menu, signatures checked, faults where they are wanted.

Sources: docs/platform/api.md#signature-of-a-call, docs/platform/api.md#warehouse-signature,
docs/platform/api.md#reply-envelope. Codes of the envelope other than 200 are not documented: those
here are made up, and nothing may depend on them.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from receiver.signatures import xport_signature
from receiver.simulator.asked import Asked, NotFoundError, RefusedError, UnreadableError
from receiver.simulator.calls.rows import ANSWERS
from receiver.simulator.faults import Fault, Faults
from receiver.simulator.journal import Called, Journal, Outcome
from receiver.simulator.parameters import asked_by
from receiver.simulator.routes import ServedRow, served_rows
from receiver.simulator.signing import Account
from receiver.simulator.world import World

_TOLERANCE_S: Final = 600
_NONCE_CHARS: Final = 32
_SUCCESS: Final = 200
_SUCCESS_OF_ROW: Final = {"addresses_save": 0}
"""The page's example has another code for success (docs/platform/calls-carts.md#addresses)."""
_UNREADABLE: Final = 400
_UNSIGNED: Final = 401
_NOT_FOUND: Final = 404
_TOO_OLD: Final = "timestamp out of range"
_NO_REPLY: Final = b"<html><body>gateway</body></html>"


class SimulatedAPI:
    """Answers the calls of one account from its `world`.

    `faults` make calls fail, and may be exchanged at any time; `journal` has what was called. What
    stands in `replies` under the name of a row is served as its data, in place of what the row
    gives: for replies that no page shows.
    """

    def __init__(
        self,
        world: World,
        account: Account,
        *,
        faults: Faults | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.faults = faults or Faults()
        self.journal = Journal()
        self.replies: dict[str, Any] = {}
        self._world = world
        self._account = account
        self._now = now

    def app(self) -> Starlette:
        """The ASGI application: every row by every path that it has."""
        return Starlette(
            routes=[
                Route(row.path, self._endpoint(row), methods=[row.method]) for row in served_rows()
            ]
        )

    def _endpoint(self, row: ServedRow) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            arrived = asyncio.get_running_loop().time()
            fault = self.faults.drawn(row.name)
            arguments, asked = "", await self._asked(request, row)
            if isinstance(asked, Asked):
                arguments = json.dumps(asked.parameters, sort_keys=True, ensure_ascii=False)
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay_s)
            response = _failed(fault)
            outcome: Outcome = "failed"
            if response is None:
                response, outcome = self._answered(request, row, asked)
            kind = fault.kind if fault else None
            self.journal.calls.append(
                Called(
                    row.name, row.path, arrived, arguments, row.changes_state, outcome, fault=kind
                )
            )
            if kind in {"cut", "outcome-unknown"}:
                request.scope["cut"]()
            return response

        return endpoint

    async def _asked(self, request: Request, row: ServedRow) -> Asked | UnreadableError:
        try:
            return await asked_by(request, row.edition)
        except UnreadableError as error:
            return error

    def _answered(
        self, request: Request, row: ServedRow, asked: Asked | UnreadableError
    ) -> tuple[Response, Outcome]:
        """The reply, and what came of the call."""
        if reason := self._unsigned(request, row):
            return _reply(_UNSIGNED, reason, None), "refused"
        try:
            if isinstance(asked, UnreadableError):
                raise asked
            data = ANSWERS[row.name](self._world, asked)
        except UnreadableError as error:
            return _reply(_UNREADABLE, str(error), None), "refused"
        except NotFoundError as error:
            return _reply(_NOT_FOUND, str(error), None), "refused"
        except RefusedError as error:
            return _reply(_SUCCESS, "success", error.data), "refused"
        code = _SUCCESS_OF_ROW.get(row.name, _SUCCESS)
        return _reply(code, "success", self.replies.get(row.name, data)), "done"

    def _unsigned(self, request: Request, row: ServedRow) -> str:
        """Why a call is refused; empty where its signature is right."""
        query, headers = request.query_params, request.headers
        signed: Mapping[str, str] = query if row.signed_in_query else headers
        timestamp, nonce = signed.get("timestamp", ""), headers.get("nonce-str", "")
        if len(nonce) != _NONCE_CHARS:
            return "nonce-str must have 32 characters"
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) in {10, 13}):
            return "timestamp must be seconds or milliseconds"
        sent_s = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
        if abs(self._now() - sent_s) > _TOLERANCE_S:
            return _TOO_OLD
        key = self._account.access_key
        if not row.signed_in_query and headers.get("access-key", "") != key:
            return "unknown access-key"
        expected = xport_signature(key, timestamp, nonce, self._account.secret)
        given = signed.get("sign" if row.signed_in_query else "signature", "")
        return "" if hmac.compare_digest(expected.encode(), given.encode()) else "bad signature"


def _failed(fault: Fault | None) -> Response | None:
    """What a fault answers in place of us; None where we answer."""
    match fault.kind if fault else None:
        case "429":
            assert fault is not None
            return Response(status_code=429, headers={"retry-after": str(fault.retry_after_s)})
        case "500":
            return Response(status_code=500)
        case "503" | "cut":
            return Response(status_code=503)
        case "garbage":
            return Response(_NO_REPLY, media_type="text/html")
        case "refused":
            data = {"success": False, "errorCode": "SIMULATED", "errorMessage": "a simulated fault"}
            return _reply(_SUCCESS, "success", data)
        case "expired":
            return _reply(_UNSIGNED, _TOO_OLD, None)
        case _:
            return None


def _reply(code: int, msg: str, data: Any) -> JSONResponse:
    """The reply envelope (docs/platform/api.md#reply-envelope)."""
    return JSONResponse(
        {
            "requestId": secrets.token_hex(8),
            "code": code,
            "developId": "10001",
            "msg": msg,
            "data": data,
        }
    )
