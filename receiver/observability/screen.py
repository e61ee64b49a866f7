"""The log on a terminal: one line a callback and a handler run, in columns that fit the width.

A line holds the time, the channel, the event, the order id, the amount and what came of it. Ids are
shortened to their ends by which they differ; the JSON log has them whole. Every other record is
shown with its keys. Reads the terminal's width, and writes nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TextIO

import structlog
from rich.cells import cell_len, set_cell_size
from structlog.typing import EventDict, WrappedLogger

from schemas.currencies import YUAN
from schemas.events import EventData

_NO_TERMINAL_COLUMNS: Final = 120
_WIDE_COLUMNS: Final = 100
"""From this width on the order id is whole."""
_ID_CHARS: Final = 8
_TIME_COLUMNS: Final = 8

_GREEN, _YELLOW, _RED, _DIM = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"
_RESET: Final = "\x1b[0m"

_CALLBACKS: Final = frozenset({"callback_stored", "callback_quarantined"})
_RUNS: Final = frozenset({"event_handled", "handler_failed"})
_OF_THE_RUN: Final = ("attempt", "event_id", "event_type")
_IDS: Final = ("delivery_id", "callback_id", "event_id")
_WORDS: Final = {
    "retransmission": "repeated",
    "done": "ok",
    "postponed": "again",
    "retried": "retry",
    "dead_lettered": "DEAD",
}
"""The outcome, where a shorter word than that of the log will do."""
_COLOURS: Final = {
    "stored": _GREEN,
    "done": _GREEN,
    "dead_lettered": _RED,
    "quarantined": _RED,
}


@dataclass(frozen=True, slots=True)
class _Columns:
    """How wide each column is; what came of it has the rest."""

    event: int
    order: int
    amount: int
    channel: int = 6


_NARROW: Final = _Columns(event=25, order=_ID_CHARS + 1, amount=9)
_WIDE: Final = _Columns(event=25, order=19, amount=13)


class _Row(NamedTuple):
    time: str
    channel: str
    event: str
    order: str
    amount: str
    end: str


class Shown(NamedTuple):
    """What the screen alone shows of a callback or a run: of its first event, and how many `more`
    there are. `amount` is decimal text, empty where there is none.
    """

    channel: str
    event_type: str
    more: int
    amount: str
    currency: str


def shown(events: Sequence[EventData]) -> Shown | None:
    """The value of a record's key `shown`. Of a refund the amount is what is paid back, else it is
    the order's total.
    """
    if not events:
        return None
    data = events[0]
    amounts: Any = getattr(data, "amounts", None)
    money: Any = getattr(data, "amount", None) or (amounts and amounts.total)
    amount, currency = (str(money.amount), money.currency) if money else ("", "")
    return Shown(data.channel, data.event_type, len(events) - 1, amount, currency)


class Screen:
    """Renders records for the terminal `out`, the last processor of the pipeline."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colours = out.isatty()
        self._other = structlog.dev.ConsoleRenderer(
            colors=self._colours,
            pad_event_to=0,
            pad_level=False,
            exception_formatter=structlog.dev.RichTracebackFormatter(show_locals=False),
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        """The text of one record, without the end of its line."""
        shown: Shown | None = event.pop("shown", None)
        event["timestamp"] = _local_time(event.get("timestamp", ""))
        name = event.get("event")
        if name in _CALLBACKS:
            return self._callback(event, shown)
        if name in _RUNS and "handler" in event:
            return self._run(event, shown)
        return str(self._other(logger, method, _brief(event)))

    def _callback(self, event: EventDict, shown: Shown | None) -> str:
        outcome = str(event.get("outcome", ""))
        word, identity = _WORDS.get(outcome, outcome), str(event.get("callback_id", ""))
        what = f"{event.get('place')}: {event.get('reason')}"
        if shown:
            what = f"{shown.event_type}{f' +{shown.more}' if shown.more else ''}"
        ends = (f"{word} {identity[:_ID_CHARS]}", word)
        return self._line(event, shown, what, ends, _COLOURS.get(outcome, _YELLOW))

    def _run(self, event: EventDict, shown: Shown | None) -> str:
        outcome = str(event.get("outcome", ""))
        delay = f" {event['delay_s']:.0f}s" if "delay_s" in event else ""
        short = f"{_WORDS.get(outcome, outcome)}{delay} {event['handler']}"
        error = str(event.get("error", ""))
        took = f"{short} {event.get('duration_ms', 0):.0f} ms"
        ends = (f"{short}: {error}", short) if error else (took, short)
        what = str(event.get("event_type", ""))
        line = self._line(event, shown, what, ends, _COLOURS.get(outcome, _YELLOW))
        if event["event"] != "handler_failed" or error in line:
            return line
        return f"{line}\n{self._cause(event, error)}"

    def _cause(self, event: EventDict, error: str) -> str:
        """Why a run failed, where its own line has no room for it."""
        text = f"{' ' * _TIME_COLUMNS} {event['handler']}: {error} {event.get('place', '')}"
        return self._painted(_clipped(text.rstrip(), self._width()), _DIM)

    def _line(
        self,
        event: EventDict,
        shown: Shown | None,
        what: str,
        ends: Sequence[str],
        colour: str,
    ) -> str:
        """One line; `ends` are texts of what came of it, of which the first that fits is taken."""
        width = self._width()
        wide = width >= _WIDE_COLUMNS
        columns = _WIDE if wide else _NARROW
        row = _Row(
            event["timestamp"],
            _channel(shown),
            what,
            _shortened(str(event.get("order_id") or "-"), columns.order),
            _amount(shown, wide=wide) if shown else "",
            "",
        )
        head = _laid_out(row, columns)
        room = max(0, width - cell_len(head))
        end = next((end for end in ends if cell_len(end) <= room), _clipped(ends[-1], room))
        return f"{self._painted(head[:_TIME_COLUMNS], _DIM)}{head[_TIME_COLUMNS:]}" + (
            self._painted(end, colour)
        )

    def _painted(self, text: str, colour: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours else text

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _NO_TERMINAL_COLUMNS
        except (OSError, ValueError):
            return _NO_TERMINAL_COLUMNS


def _brief(event: EventDict) -> EventDict:
    """Without what the line of its run shows, where a handler wrote it; ids shortened."""
    left_out = _OF_THE_RUN if "handler" in event and "event_id" in event else ()
    return {
        key: f"{value}"[:_ID_CHARS] if key in _IDS else value
        for key, value in event.items()
        if key not in left_out
    }


def heading(width: int) -> str:
    """The names of the columns at this width."""
    row = _Row("time", "from", "event", "order", "amount", "what came of it")
    return _laid_out(row, _WIDE if width >= _WIDE_COLUMNS else _NARROW)


def _laid_out(row: _Row, columns: _Columns) -> str:
    amount = " " * max(0, columns.amount - cell_len(row.amount)) + row.amount
    cells = (
        set_cell_size(row.time, _TIME_COLUMNS),
        set_cell_size(row.channel, columns.channel),
        set_cell_size(_clipped(row.event, columns.event), columns.event),
        set_cell_size(_clipped(row.order, columns.order), columns.order),
        set_cell_size(_clipped(amount, columns.amount), columns.amount),
    )
    return f"{' '.join(cells)} {row.end}"


def _shortened(identity: str, columns: int) -> str:
    """The end of an id that is too long: the beginnings of the platforms' order ids are alike."""
    return identity if len(identity) <= columns else f"…{identity[1 - columns :]}"


def _clipped(text: str, columns: int) -> str:
    if cell_len(text) <= columns:
        return text
    return f"{set_cell_size(text, columns - 1).rstrip()}…" if columns > 0 else ""


def _channel(shown: Shown | None) -> str:
    return "-" if shown is None or shown.channel == "unknown" else shown.channel


def _amount(shown: Shown, *, wide: bool) -> str:
    """Yuan are not named where it is not `wide`."""
    named = shown.amount and (wide or shown.currency != YUAN)
    return f"{shown.amount} {shown.currency}" if named else shown.amount


def _local_time(stamp: str) -> str:
    """The pipeline's time, in UTC, as a clock on the wall shows it here."""
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%H:%M:%S}"
    except ValueError:
        return stamp
