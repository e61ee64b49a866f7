"""The endpoint the platforms POST to: a plain ASGI application, the one hot path.

It maps what `Intake` returns and raises to HTTP, once, and writes one log line a delivery.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from receiver.callback import InboundRequest
from receiver.dialects.dialect import Dialect
from receiver.dialects.verification import check_path_token
from receiver.errors import BusError, DeliveryError, VerificationError
from receiver.intake import Intake, Receipt, utc_now
from receiver.logs import get_logger
from receiver.settings import SourceSettings
from receiver.sources import Sources
from receiver.web import answers
from receiver.web.body import ClientGoneError, check_content, read_body
from receiver.web.client_address import Network, client_address, within
from receiver.web.counts import DeliveryCounts
from receiver.web.sampling import Sampling

_LIMIT_REJECTIONS_PER_S: Final = 50
_EMPTY: Final = frozenset({b"", b"{}"})
_LIMIT_EMPTY_BYTES: Final = 64
_CHECKED: Final = b'{"status":"checked"}'


class CallbackEndpoint:
    """`/callbacks/{source}` and `/callbacks/{source}/{path_token}`: every answer of the design.

    `limit_bytes` bounds a body. `counts` is told every outcome.
    """

    def __init__(
        self,
        intake: Intake,
        sources: Sources,
        dialects: Mapping[str, Dialect],
        *,
        limit_bytes: int,
        trusted_proxies: Sequence[Network] = (),
        counts: DeliveryCounts,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._intake = intake
        self._sources = sources
        self._dialects = dialects
        self._limit_bytes = limit_bytes
        self._trusted_proxies = trusted_proxies
        self._counts = counts
        self._clock = clock
        self._rejections = Sampling(_LIMIT_REJECTIONS_PER_S)
        self._log = get_logger("yizhan.receiver")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        delivery_id = uuid4().hex
        source_name = scope["path_params"]["source"]
        known: dict[str, Any] = {"delivery_id": delivery_id}
        if self._sources.get(source_name) is not None:
            known["source"] = source_name
        try:
            receipt = await self._receive(scope, receive, delivery_id)
        except ClientGoneError:
            self._counts.add("gone")
            self._log.info("delivery_broken_off", **known)
            return
        except DeliveryError as error:
            self._counts.add(error.reason)
            if (held_back := self._rejections.admit()) is not None:
                self._log.warning(
                    "delivery_rejected",
                    status=error.status,
                    reason=error.reason,
                    duration_ms=_ms_since(started),
                    **known,
                    **({"not_logged": held_back} if held_back else {}),
                )
            await answers.send_json(send, error.status, answers.BODIES[error.status])
            return
        except BusError as error:
            self._counts.add("unavailable")
            self._log.error(
                "callback_not_stored", error=str(error), duration_ms=_ms_since(started), **known
            )
            await answers.send_json(send, 503, answers.BODIES[503])
            return
        self._counts.add(receipt.outcome)
        self._write_line(receipt, known, started)
        await answers.send_json(send, 200, _receipt_body(receipt), head=scope["method"] == "HEAD")

    async def _receive(self, scope: Scope, receive: Receive, delivery_id: str) -> Receipt:
        source = self._sources.get(scope["path_params"]["source"])
        if source is None:
            raise DeliveryError("unknown_source", status=404)
        headers = scope["headers"]
        client = self._client(scope, source)
        request = InboundRequest(
            source=source,
            headers=headers,
            body=b"",
            received_at=self._clock(),
            path_token=scope["path_params"].get("path_token"),
            client=client,
            delivery_id=delivery_id,
        )
        if scope["method"] in {"GET", "HEAD"}:
            check_path_token(request)
            return Receipt("checked")
        if scope["method"] != "POST":
            raise DeliveryError("method", status=405)
        body = await read_body(receive, headers, self._limit_bytes)
        if len(body) <= _LIMIT_EMPTY_BYTES and b"".join(body.split()) in _EMPTY:
            check_path_token(request)
            return Receipt("checked")
        check_content(headers, self._dialects[source.dialect].content_types)
        return await self._intake.accept(request.with_body(body))

    def _client(self, scope: Scope, source: SourceSettings) -> str:
        """The client's address as text; refuses one that the source does not allow."""
        peer = scope["client"][0] if scope.get("client") else None
        address = client_address(peer, scope["headers"], self._trusted_proxies)
        allowed = source.allow_networks
        if allowed and (address is None or not within(address, allowed)):
            raise VerificationError("network_not_allowed")
        return str(address or "")

    def _write_line(self, receipt: Receipt, known: dict[str, Any], started: float) -> None:
        if receipt.outcome == "checked":
            self._log.info("console_checked", **known)
            return
        details: dict[str, Any] = {
            "callback_id": receipt.callback_id,
            "stream_seq": receipt.stream_seq,
            "outcome": receipt.outcome,
            "secret_index": receipt.secret_index,
            "duration_ms": _ms_since(started),
        }
        if receipt.fault is not None:
            details |= {"reason": receipt.fault.reason, "place": receipt.fault.place}
            self._log.warning("callback_quarantined", **known, **details)
            return
        self._log.info(
            "callback_stored",
            message_type=receipt.message_type,
            event_types=list(receipt.event_types),
            **known,
            **details,
        )


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def _receipt_body(receipt: Receipt) -> bytes:
    if receipt.outcome == "checked":
        return _CHECKED
    answer = {"status": receipt.outcome, "callback_id": receipt.callback_id}
    return json.dumps(answer, separators=(",", ":")).encode()
