"""The one line in the log of each event that was handled, or given back."""

from __future__ import annotations

import logging
from typing import Any, Final

import structlog
from nats.aio.msg import Msg

from receiver.bus.headers import TIMER, decode_header
from receiver.observability.logs import on_screen
from receiver.observability.screen import shown
from receiver.worker.attempts import Attempts
from receiver.worker.outcomes import NakWithDelay, Outcome
from receiver.worker.runner import RunResult

_EVENT_NAMES: Final[dict[Outcome, str]] = {
    "retried": "handler_failed",
    "dead_lettered": "handler_failed",
}


def facts_of(message: Msg, attempts: Attempts) -> dict[str, Any]:
    """What is bound to every line about one run."""
    headers = message.headers or {}
    event_type = headers.get("ce-type", "").removeprefix("yizhan.").removesuffix(".v1")
    timer = decode_header(headers.get(TIMER, ""))[:64]
    return {
        "event_id": headers.get("ce-id", "")[:256],
        "event_type": event_type[:64],
        "order_id": decode_header(headers.get("ce-subject", ""))[:256] or None,
        "attempt": attempts.starts + 1,
        **({"timer": timer} if timer else {}),
    }


def log_outcome(
    log: structlog.typing.FilteringBoundLogger, result: RunResult, duration_s: float
) -> None:
    """How a run ended."""
    outcome = result.decision.outcome
    if outcome not in _EVENT_NAMES and not log.is_enabled_for(logging.INFO):
        return
    keys: dict[str, Any] = {"outcome": outcome, "duration_ms": round(duration_s * 1000, 1)}
    keys |= result.trace_ids
    if result.data is not None and on_screen():
        keys["shown"] = shown((result.data,))
    if result.error:
        keys |= {"error": result.error, "place": result.place}
    if result.traceback:
        keys["traceback"] = result.traceback
    if isinstance(result.decision, NakWithDelay):
        keys["delay_s"] = round(result.decision.delay_s, 3)
    name = _EVENT_NAMES.get(outcome, "event_handled")
    level = {"retried": log.warning, "dead_lettered": log.error}.get(outcome, log.info)
    level(name, **keys)
