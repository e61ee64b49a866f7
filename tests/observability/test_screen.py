"""The log on a terminal: a line a callback and a run, that fits; the JSON log has whole ids."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import logging
import os
import re
import struct
import termios
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.cells import cell_len

from receiver.cli.reminder import watch_quiet
from receiver.observability.logs import configure_logs, get_logger, on_screen
from receiver.observability.screen import heading, shown
from receiver.settings import LogSettings
from receiver.testing import eventually
from schemas.events import (
    AftersalesRefundUpdated,
    Amounts,
    EventData,
    LogisticsShipped,
    OrderCreated,
    PaymentSucceeded,
)
from schemas.values import Money

ORDER = "2745812000123456789"
CALLBACK = "0123456789abcdef0123456789abcdef"
PAID = PaymentSucceeded(
    channel="1688", order_id=ORDER, amounts=Amounts(total=Money(amount=Decimal("12.00")))
)


class Terminal:
    """A pseudo-terminal of a width."""

    def __init__(self, columns: int) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(theirs, "w")

    def read(self) -> list[str]:
        """All that was written so far: one read of a terminal may return less."""
        self.stream.write("\0")
        self.stream.flush()
        seen = b""
        while not seen.endswith(b"\0"):
            seen += os.read(self._ours, 65536)
        return re.sub(r"\x1b\[\d*m", "", seen[:-1].decode()).splitlines()

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture(params=[80, 120])
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(request.param)
    configure_logs(LogSettings(), stream=made.stream)
    yield made
    made.close()


def stored(*events: EventData, **more: Any) -> dict[str, Any]:
    return {
        "shown": shown(events),
        "order_id": events[0].order_id,
        "callback_id": CALLBACK,
        "outcome": "stored",
    } | more


def ran(data: EventData, handler: str, **more: Any) -> dict[str, Any]:
    return {
        "shown": shown([data]),
        "order_id": data.order_id,
        "event_type": data.event_type,
        "event_id": f"{CALLBACK}.0",
        "handler": handler,
        "outcome": "done",
        "duration_ms": 12.3,
    } | more


def test_a_callback_is_a_line_with_all_that_matters(terminal: Terminal) -> None:
    get_logger("x").info("callback_stored", **stored(PAID))
    (line,) = terminal.read()
    _, channel, event, order, amount, *rest = line.split()
    assert (channel, event, amount) == ("1688", "payment.succeeded", "12.00")
    assert ORDER.endswith(order.removeprefix("…"))
    assert rest[-2:] == ["stored", CALLBACK[:8]]


def test_a_run_is_a_line_with_the_handler_and_its_end(terminal: Terminal) -> None:
    get_logger("x").info("event_handled", **ran(PAID, "ship_it"))
    (line,) = terminal.read()
    assert "payment.succeeded" in line
    assert "ok ship_it 12 ms" in line


LONG = AftersalesRefundUpdated(
    channel="taobao", order_id="9" * 60, amount=Money(amount=Decimal("9999999999999.99"))
)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("callback_stored", stored(LONG, PAID, PAID, outcome="retransmission")),
        ("callback_stored", stored(OrderCreated(channel="unknown", order_id="单" * 30))),
        ("callback_quarantined", stored(LONG, shown=None, place="b" * 90, reason="r" * 90)),
        ("event_handled", ran(LONG, "h" * 64)),
        ("event_handled", ran(LONG, "h" * 64, outcome="postponed", delay_s=9.9, error="e" * 90)),
        ("handler_failed", ran(LONG, "h" * 64, outcome="retried", delay_s=3e3, error="e" * 90)),
    ],
    ids=["many", "wide", "quarantined", "handled", "postponed", "failed"],
)
def test_a_line_fits_the_terminal(terminal: Terminal, name: str, record: dict[str, Any]) -> None:
    get_logger("x").info(name, **record)
    lines = terminal.read()
    assert len(lines) == (2 if name == "handler_failed" else 1)
    columns = os.get_terminal_size(terminal.stream.fileno()).columns
    assert max(map(cell_len, lines)) <= columns


def test_the_names_of_the_columns_stand_above_them(terminal: Terminal) -> None:
    get_logger("x").info("callback_stored", **stored(PAID))
    (line,) = terminal.read()
    names = heading(os.get_terminal_size(terminal.stream.fileno()).columns)
    for name, text in (("from", "1688"), ("event", "payment"), ("what", "stored")):
        assert names.index(name) == line.index(text)


def test_120_columns_show_the_whole_order_id_and_the_currency() -> None:
    terminal = Terminal(120)
    configure_logs(LogSettings(), stream=terminal.stream)
    get_logger("x").info("callback_stored", **stored(PAID))
    (line,) = terminal.read()
    assert f" {ORDER} " in line
    assert "12.00 CNY" in line
    terminal.close()


def test_a_failed_run_says_why_where(terminal: Terminal) -> None:
    failed = {"outcome": "retried", "delay_s": 5.2, "error": "ValueError: x", "place": "mine:7"}
    get_logger("x").warning("handler_failed", **ran(PAID, "ship_it_to_the_customer", **failed))
    text = "\n".join(terminal.read())
    assert "retry 5s" in text
    assert "ship_it_to_the_customer: ValueError: x" in text


def test_what_a_handler_logs_repeats_nothing_of_its_run(terminal: Terminal) -> None:
    facts = {"event_id": CALLBACK, "event_type": "order.created", "attempt": 1, "handler": "h"}
    get_logger("x").info("paid", total="12.00", order_id=ORDER, **facts)
    (line,) = terminal.read()
    assert line.split(maxsplit=1)[1].split() == [
        "[info]",
        "paid",
        "handler=h",
        f"order_id={ORDER}",
        "total=12.00",
    ]


def test_what_is_shown_stays_out_of_the_json_log() -> None:
    out = io.StringIO()
    configure_logs(LogSettings(), stream=out)
    shipped = LogisticsShipped(channel="1688", order_id=ORDER)
    get_logger("x").info("callback_stored", **stored(shipped))
    line = json.loads(out.getvalue())
    assert "shown" not in line
    assert (line["order_id"], line["callback_id"]) == (ORDER, CALLBACK)


@pytest.mark.parametrize(("kind", "screen"), [("console", True), ("auto", False), ("json", False)])
def test_only_the_console_format_shows_events_in_a_file(kind: Any, screen: bool) -> None:
    configure_logs(LogSettings(format=kind), stream=io.StringIO())
    assert on_screen() is screen


def test_a_file_with_the_console_format_has_120_columns(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+", encoding="utf-8") as out:
        configure_logs(LogSettings(format="console"), stream=out)
        get_logger("x").info("callback_stored", **stored(PAID))
        out.seek(0)
        text = out.read()
    assert f" {ORDER} " in text
    assert "\x1b" not in text


async def test_the_urls_come_again_once_after_each_quiet_while() -> None:
    configure_logs(LogSettings(), stream=io.StringIO())
    times: list[None] = []
    watching = asyncio.create_task(watch_quiet(lambda: times.append(None), 0.1, poll_s=0.02))
    await asyncio.sleep(0)
    get_logger("x").info("line")
    await eventually(lambda: len(times) == 1)
    with pytest.raises(TimeoutError):
        await eventually(lambda: len(times) > 1, within_s=0.5)
    get_logger("x").info("line")
    await eventually(lambda: len(times) == 2)
    watching.cancel()
    await asyncio.wait({watching})
