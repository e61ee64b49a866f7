"""Logging: one pipeline for our records, uvicorn's and nats-py's.

JSON lines where nobody watches, colours on a terminal. A traceback never shows local variables,
because secrets live there.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from receiver.settings import LogSettings

_QUIET: Final[dict[str, int]] = {
    "uvicorn.access": logging.CRITICAL,  # its lines hold paths, and a path can hold a token
    "uvicorn.error": logging.WARNING,
    "nats": logging.CRITICAL,  # the connection's callbacks tell the same once, without URLs
    "httpx2": logging.WARNING,  # its lines hold whole URLs
    "httpcore2": logging.WARNING,
    "asyncio": logging.WARNING,
}


def configure_logs(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send every record of this process through structlog to `stream` (standard error)."""
    out = stream or sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line,
    ]
    rendering = _console(out) if console else _json()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    # What uvicorn, nats-py and asyncio say through the standard library joins the same pipeline.
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *rendering,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(level)


def _json() -> list[Processor]:
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(tracebacks),
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def _to_json(record: object, **_: Any) -> str:
    """Several times faster than the standard library's, and a value of any kind is written."""
    return to_json(record, fallback=repr, inf_nan_mode="strings").decode()


def _console(out: TextIO) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            exception_formatter=structlog.dev.RichTracebackFormatter(show_locals=False),
        )
    ]


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A foreign word cannot break a line or steer a terminal: what is not printable is escaped."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


def get_logger(name: str, **bound: Any) -> FilteringBoundLogger:
    """A logger of this pipeline, with values bound to each of its records."""
    logger: FilteringBoundLogger = structlog.get_logger(name, **bound)
    return logger
