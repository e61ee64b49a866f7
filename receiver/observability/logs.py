"""Logging: one pipeline for our records, uvicorn's and nats-py's.

JSON lines by default, `receiver.observability.screen` on a terminal. A traceback never
shows local variables, because secrets live there. The key `shown` is for the screen alone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from receiver.observability import trace_context
from receiver.observability.screen import Screen
from receiver.settings import LogSettings

_QUIET: Final[dict[str, int]] = {
    "uvicorn.access": logging.CRITICAL,  # its lines hold paths, and a path can hold a token
    "uvicorn.error": logging.WARNING,
    "nats": logging.CRITICAL,  # the connection's callbacks log the same once, without URLs
    "httpx2": logging.WARNING,  # its lines hold whole URLs
    "httpcore2": logging.WARNING,
    "asyncio": logging.WARNING,
    "opentelemetry.exporter": logging.CRITICAL,  # we say once a minute that nothing is taken
    "opentelemetry.util": logging.CRITICAL,  # it shows headers that it cannot read, secrets too
    "urllib3": logging.ERROR,
}


def configure_logs(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Send every record of this process through structlog to `stream` (standard error)."""
    out = stream or sys.stderr
    console = settings.format == "console" or (settings.format == "auto" and out.isatty())
    shared: list[Processor] = [structlog.contextvars.merge_contextvars, _stamp, _in_trace]
    rendering = [_one_line, Screen(out)] if console else [_JSONLine()]
    writer = _LineWriter(out)
    atexit.register(writer.write_out)
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=True,
    )
    # What uvicorn, nats-py and asyncio say through the standard library joins the same pipeline.
    handler = _LineHandler(writer)
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
    logging.getLogger("asyncio").addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Not that a half-closed connection is not possible over TLS: so ends every one to NATS."""
    return not str(record.msg).startswith("returning true from eof_received()")


def only_warnings() -> None:
    """For a program that is not ours and has set up no logs: warnings, on standard error."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger("warning"),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )


class _LineWriter:
    """The end of the pipeline: the lines of one turn of the event loop are written at once.

    A line of its own costs as much as all the rest of it. Where no event loop runs in this thread,
    lines are written as they come.
    """

    def __init__(self, out: TextIO) -> None:
        self.last_at = time.monotonic()
        self._out = out
        self._lines: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def msg(self, message: str) -> None:
        """Take one line."""
        self._lines.append(message)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write_out()
            return
        if len(self._lines) == 1 or loop is not self._loop:
            self._loop = loop
            loop.call_soon(self.write_out)

    def write_out(self) -> None:
        """Write what was taken. Where nothing reads it any more, or the disk is full, it is lost:
        to log that would fail, too, and be logged without end.
        """
        if self._lines:
            self.last_at = time.monotonic()
            lines, self._lines = self._lines, []
            with contextlib.suppress(OSError):
                self._out.write("\n".join([*lines, ""]))
                self._out.flush()

    debug = info = warning = error = critical = msg


class _LineHandler(logging.Handler):
    """Hands the records of other libraries to a `_LineWriter`."""

    def __init__(self, writer: _LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; a faulty one is no fault of who logs it."""
        try:
            self._writer.msg(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of the standard library
            self.handleError(record)


def _stamp(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Level and time, in UTC."""
    event["level"] = method
    event["timestamp"] = f"{datetime.now(UTC).isoformat()[:-6]}Z"
    return event


def _in_trace(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The ids of the span in which this is logged, where there is one: not of a line that says of
    which trace it is, as that of each callback does.
    """
    if "trace_id" not in event and (at := trace_context.current()) is not None:
        event.update(at.ids)
    return event


class _JSONLine:
    """Renders a record as one line of JSON, whatever its values are."""

    def __init__(self) -> None:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        self._with_traceback = structlog.processors.ExceptionRenderer(tracebacks)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """The line; most hold nothing that has to be escaped, so it is looked at as a whole."""
        event.pop("shown", None)
        if event.get("exc_info"):
            event = self._with_traceback(logger, method, event)
        try:
            line = self._render(event)
        except ValueError:  # half a character, which no JSON can hold
            line = "\n"
        return line if line.isprintable() else self._render(_one_line(logger, method, event))

    @staticmethod
    def _render(event: EventDict) -> str:
        return to_json(event, fallback=repr, inf_nan_mode="strings").decode()


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A foreign word cannot break a line or steer a terminal: what is not printable is escaped."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


def on_screen() -> bool:
    """Whether records go to a terminal, so that `shown` is worth the work."""
    return any(isinstance(step, Screen) for step in structlog.get_config()["processors"])


def last_line_at() -> float:
    """When this process wrote its last line, by `time.monotonic`."""
    writer = structlog.get_config()["logger_factory"]()
    return writer.last_at if isinstance(writer, _LineWriter) else 0.0


def write_out() -> None:
    """Write the lines that wait for the end of a turn of the event loop."""
    writer = structlog.get_config()["logger_factory"]()
    if isinstance(writer, _LineWriter):
        writer.write_out()


def get_logger(name: str, **bound: Any) -> FilteringBoundLogger:
    """A logger of this pipeline, with values bound to each of its records."""
    logger: FilteringBoundLogger = structlog.get_logger(name, **bound)
    return logger
