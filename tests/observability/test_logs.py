"""Logs: JSON where nobody watches, colours on a terminal, one pipeline, and no secrets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from receiver.observability.logs import configure_logs, get_logger
from receiver.settings import LogSettings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_without_a_terminal_a_record_is_a_line_of_json() -> None:
    out = io.StringIO()
    configure_logs(LogSettings(), stream=out)
    get_logger("x", source="a").info("callback_stored", stream_seq=7, note="中文")
    (line,) = lines(out)
    assert (line["event"], line["level"], line["source"]) == ("callback_stored", "info", "a")
    assert (line["stream_seq"], line["note"]) == (7, "中文")
    assert str(line["timestamp"]).endswith("Z")


def test_on_a_terminal_it_has_colours() -> None:
    out = Terminal()
    configure_logs(LogSettings(), stream=out)
    get_logger("x").warning("nats_away")
    assert "\x1b[" in out.getvalue()
    assert "nats_away" in out.getvalue()


@pytest.mark.parametrize(("format_", "coloured"), [("json", False), ("console", True)])
def test_the_format_can_be_chosen(format_: str, coloured: bool) -> None:
    out = Terminal()
    configure_logs(LogSettings.model_validate({"format": format_}), stream=out)
    get_logger("x").info("callback_stored")
    assert ("\x1b[" in out.getvalue()) is coloured


def test_what_libraries_say_joins_the_same_pipeline() -> None:
    out = io.StringIO()
    configure_logs(LogSettings(), stream=out)
    logging.getLogger("uvicorn.error").warning("odd request from %s", "somewhere")
    logging.getLogger("uvicorn.access").info("GET /callbacks/s/secret-token 200")
    (line,) = lines(out)
    assert (line["event"], line["level"]) == ("odd request from somewhere", "warning")


def test_the_level_is_kept() -> None:
    out = io.StringIO()
    configure_logs(LogSettings(level="warning"), stream=out)
    get_logger("x").info("too quiet")
    assert out.getvalue() == ""


def test_a_traceback_shows_no_local_variable() -> None:
    for stream in (io.StringIO(), Terminal()):
        configure_logs(LogSettings(), stream=stream)
        secret = "hunter" + "2"
        try:
            raise LookupError(len(secret))
        except LookupError:
            get_logger("x").error("request_failed", exc_info=True)
        assert "LookupError" in stream.getvalue()
        assert secret not in stream.getvalue()


@pytest.mark.parametrize("word", ["a\nfake line", "\x1b[31mred", "\u2028"], ids=repr)
def test_a_foreign_word_breaks_no_line_and_steers_no_terminal(word: str) -> None:
    out = io.StringIO()
    configure_logs(LogSettings(format="console"), stream=out)
    get_logger("x").info("delivery_rejected", message_type=word)
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b[31mred" not in out.getvalue()


def test_half_a_character_costs_no_line() -> None:
    out = io.StringIO()
    configure_logs(LogSettings(format="json"), stream=out)
    get_logger("x").info("odd", word="a\ud800", more="中文")
    (line,) = lines(out)
    assert (line["word"], line["more"]) == ("a\\ud800", "中文")


def test_a_faulty_record_of_a_library_does_not_raise_into_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = io.StringIO()
    configure_logs(LogSettings(format="json"), stream=out)
    logging.getLogger("uvicorn.error").error("%d", "x")
    logging.getLogger("uvicorn.error").error("and on")
    assert [line["event"] for line in lines(out)] == ["and on"]
    assert "Logging error" in capsys.readouterr().err


async def test_lines_of_one_loop_turn_are_one_write() -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    configure_logs(LogSettings(format="json"), stream=Stream())
    log = get_logger("x")
    for number in range(3):
        log.info("line", number=number)
    assert writes == []
    await asyncio.sleep(0)
    (text,) = writes
    assert [json.loads(line)["number"] for line in text.splitlines()] == [0, 1, 2]


async def test_lines_that_nothing_reads_any_more_are_lost_and_fail_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    failed: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: failed.append(str(said)))
    with os.fdopen(writing, "w", buffering=1) as closed:
        configure_logs(LogSettings(format="json"), stream=closed)
        get_logger("test").info("said_to_nothing")
        await asyncio.sleep(0)
        get_logger("test").info("said_again")
        await asyncio.sleep(0)
        with contextlib.suppress(BrokenPipeError):
            closed.close()
    assert failed == []
