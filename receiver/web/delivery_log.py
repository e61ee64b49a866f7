"""One log line a delivery, within bounds where senders could flood the log."""

from __future__ import annotations

from typing import Any, Final

from receiver.errors import BusError, DeliveryError
from receiver.ingest.sources import Sources
from receiver.ingest.storing import Receipt
from receiver.observability.log_sampling import Sampling
from receiver.observability.logs import get_logger, on_screen
from receiver.observability.screen import shown
from receiver.web.delivery import Delivery

_MAX_REJECTIONS_PER_S: Final = 50
_MAX_OTHERS_PER_S: Final = 10


class DeliveryLog:
    """Writes the lines; nothing of a body or of a path is in them but the names of our sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._rejections = Sampling(_MAX_REJECTIONS_PER_S)
        self._console_checks = Sampling(_MAX_OTHERS_PER_S)
        self._broken_off = Sampling(_MAX_OTHERS_PER_S)
        self._failures = Sampling(_MAX_OTHERS_PER_S)
        self._log = get_logger("yizhan.receiver")
        self._on_screen = on_screen()

    def broken_off(self, delivery: Delivery) -> None:
        """A delivery whose sender closed the connection before it was whole."""
        if (held_back := self._broken_off.admit()) is not None:
            self._log.info("delivery_broken_off", **self._known(delivery), **_left_out(held_back))

    def failed(self, error: Exception) -> None:
        """A defect of ours."""
        if (held_back := self._failures.admit()) is not None:
            more = _left_out(held_back)
            self._log.error("request_failed", error=type(error).__name__, exc_info=error, **more)

    def taken(self, delivery: Delivery, receipt: Receipt) -> None:
        """A delivery that was answered with 200."""
        if receipt.outcome == "checked":
            if (held_back := self._console_checks.admit()) is not None:
                self._log.info("console_checked", **self._known(delivery), **_left_out(held_back))
            return
        details: dict[str, Any] = {
            "delivery_id": delivery.id,
            "source": delivery.source_name,
            "callback_id": receipt.callback_id,
            "stream_seq": receipt.stream_seq,
            "outcome": receipt.outcome,
            "secret_index": receipt.secret_index,
            "duration_ms": delivery.duration_ms,
            **delivery.trace_ids,
        }
        if receipt.fault is not None:
            details |= {"reason": receipt.fault.reason, "place": receipt.fault.place}
            self._log.warning("callback_quarantined", **details)
            return
        if self._on_screen:
            details["shown"] = shown(receipt.events)
        self._log.info(
            "callback_stored",
            message_type=receipt.message_type,
            event_types=[data.event_type for data in receipt.events],
            order_id=receipt.events[0].order_id if receipt.events else None,
            **details,
        )

    def rejected(self, delivery: Delivery, error: DeliveryError) -> None:
        """A delivery that was refused."""
        if (held_back := self._rejections.admit()) is None:
            return
        self._log.warning(
            "delivery_rejected",
            status=error.status,
            reason=error.reason,
            duration_ms=delivery.duration_ms,
            **self._known(delivery),
            **_left_out(held_back),
        )

    def not_stored(self, delivery: Delivery, error: BusError) -> None:
        """A callback that could not be stored."""
        self._log.error(
            "callback_not_stored",
            error=str(error),
            duration_ms=delivery.duration_ms,
            **self._known(delivery),
        )

    def _known(self, delivery: Delivery) -> dict[str, str]:
        """A source's name is logged where it is one of ours: the path may hold anything else."""
        known = {"delivery_id": delivery.id, **delivery.trace_ids}
        if self._sources.get(delivery.source_name) is not None:
            known["source"] = delivery.source_name
        return known


def _left_out(lines: int) -> dict[str, int]:
    """How many lines were not written before this one, where there are any."""
    return {"not_logged": lines} if lines else {}
