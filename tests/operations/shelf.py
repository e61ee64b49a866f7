"""Callbacks as a receiver stores them, on a real stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from receiver.bus.callback_codec import Marks, encode_callback, encode_quarantined
from receiver.bus.publish.contract import Publisher
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, Fault, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.settings import SourceSettings

PAID = "ORDER_PAY_SUCCESS"


@dataclass
class Shelf:
    """Stores callbacks of the source `shop`; each gives its callback id."""

    publisher: Publisher
    subjects: Subjects
    source: str = "shop"

    async def push(
        self,
        order_id: str,
        kind: str = PAID,
        *,
        again: str | None = None,
        apart: bool = False,
        **body: Any,
    ) -> str:
        """`again` is the callback that it retransmits. `apart`, the event lies far behind."""
        told = {"orderId": order_id, "orderStatus": "WAITING_FOR_SENT", "totalAmount": 1200} | body
        content = {"messageType": kind, "messagePlatform": 1, "messageBody": json.dumps(told)}
        verified = self._verified(json.dumps(content | ({"again": again} if again else {})))
        callback = DIALECTS["xport"].parse(verified)
        assert isinstance(callback, Callback)
        raw, *events = encode_callback(verified, callback, self.subjects, Marks(again))
        if apart:
            await self.publisher.publish([raw])
            for number in range(5):
                await self.push(f"between{number}")
            await self.publisher.publish(events)
        else:
            await self.publisher.publish([raw, *events])
        return verified.callback_id

    async def spoil(self, text: str) -> str:
        """A callback that goes into quarantine."""
        verified = self._verified(text)
        fault = Fault(place="body", reason="no JSON")
        await self.publisher.publish([encode_quarantined(verified, fault, self.subjects)])
        return verified.callback_id

    def _verified(self, body: str) -> VerifiedRequest:
        source = SourceSettings(name=self.source, dialect="xport", verification="none")
        request = InboundRequest(source, (), body.encode(), datetime.now(UTC))
        return VerifiedRequest(request, Proof("none"))
