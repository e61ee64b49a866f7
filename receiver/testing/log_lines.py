"""A logger that keeps its lines."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from receiver.event import Event


def recording_log(
    handler: str, event: Event[Any]
) -> tuple[FilteringBoundLogger, list[dict[str, Any]]]:
    """A logger with what a worker binds, and the list that its lines go to."""
    lines: list[dict[str, Any]] = []

    def keep(_: Any, level: str, line: MutableMapping[str, Any]) -> str:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        handler=handler,
        event_id=event.id,
        event_type=event.event_type,
        order_id=event.order_id,
    )
    return log, lines
