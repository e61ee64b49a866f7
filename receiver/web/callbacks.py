"""The endpoint the platforms POST to: a plain ASGI application, the one hot path.

It maps what `Intake` returns and raises to HTTP, once, and writes one log line a delivery.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

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


class _Arrival(NamedTuple):
    """What is known of a delivery before its body."""

    source: SourceSettings
    path_token: str | None
    at: datetime
    delivery_id: str


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

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        source_name: str,
        path_token: str | None = None,
    ) -> None:
        """Answer one request to the URL of a source."""
        started = time.perf_counter()
        known = {"delivery_id": os.urandom(16).hex()}
        try:
            source = self._sources.get(source_name)
            if source is None:
                raise DeliveryError("unknown_source", status=404)
            known["source"] = source_name
            arrival = _Arrival(source, path_token, self._clock(), known["delivery_id"])
            receipt = await self._receive(scope, receive, arrival)
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

    async def _receive(self, scope: Scope, receive: Receive, arrival: _Arrival) -> Receipt:
        source, method = arrival.source, scope["method"]
        client, headers = self._client(scope, source), scope["headers"]
        if method not in {"GET", "HEAD", "POST"}:
            raise DeliveryError("method", status=405)
        body = b"" if method != "POST" else await read_body(receive, headers, self._limit_bytes)
        request = InboundRequest(
            source=source,
            headers=headers,
            body=body,
            received_at=arrival.at,
            path_token=arrival.path_token,
            client=client,
            delivery_id=arrival.delivery_id,
        )
        if len(body) <= _LIMIT_EMPTY_BYTES and b"".join(body.split()) in _EMPTY:
            check_path_token(request)
            return Receipt("checked")
        check_content(headers, self._dialects[source.dialect].content_types)
        return await self._intake.accept(request)

    def _client(self, scope: Scope, source: SourceSettings) -> str:
        """The client's address as text; refuses one that the source does not allow."""
        peer = scope["client"][0] if scope.get("client") else None
        if not (self._trusted_proxies or source.allow_networks):
            return peer or ""
        address = client_address(peer, scope["headers"], self._trusted_proxies)
        allowed = source.allow_networks
        if allowed and (address is None or not within(address, allowed)):
            raise VerificationError("network_not_allowed")
        return str(address or "")

    def _write_line(self, receipt: Receipt, known: Mapping[str, str], started: float) -> None:
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
    # One of our own words and hexadecimal digits: nothing that JSON would have to escape.
    return b'{"status":"%s","callback_id":"%s"}' % (
        receipt.outcome.encode(),
        receipt.callback_id.encode(),
    )
