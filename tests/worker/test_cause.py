"""What is said of an error: its text and stack, never an input, a local variable or a body."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from receiver.errors import BusError, DecodingError
from receiver.worker.cause import Cause, cause_of, fingerprint, text_of
from receiver.worker.interface import Retry


def of(error: BaseException, **options: Any) -> Cause:
    try:
        raise error
    except BaseException as raised:  # noqa: BLE001 - whatever it is
        return cause_of(raised, __name__, **options)


class Mute(Exception):  # noqa: N818 - an error of somebody's
    def __str__(self) -> str:
        raise ValueError


class Address(BaseModel):
    city: str
    since: datetime


def test_a_handlers_error_is_given_with_what_it_says() -> None:
    assert of(ValueError("no such shelf")).reason == "ValueError: no such shelf"
    assert of(KeyError("shelf")).reason == "KeyError: 'shelf'"
    assert of(ValueError()).reason == "ValueError"
    assert of(Mute()).reason == "Mute"


def test_texts_can_be_switched_off() -> None:
    cause = of(ValueError("13800000000"), texts=False)
    assert (cause.reason, cause.traceback) == ("ValueError", "")
    assert "of:" in cause.place


def test_our_own_errors_say_what_they_say_in_any_case() -> None:
    assert text_of(BusError("away"), texts=False) == "BusError: away"
    assert text_of(DecodingError("at data"), texts=False) == "DecodingError: at data"


def test_a_validation_error_is_given_without_its_input() -> None:
    with pytest.raises(ValueError, match="city") as caught:
        Address.model_validate({"city": 7, "since": "on 13800000000"})
    said = text_of(caught.value)
    assert said.startswith("ValidationError: Address: city: Input should be a valid string; since:")
    assert "13800000000" not in said
    assert "input_value" not in said


def test_a_text_is_cut() -> None:
    assert len(text_of(ValueError("x" * 2000))) == 500


def test_a_group_names_its_members() -> None:
    group = BaseExceptionGroup("g", [ValueError("one"), SystemExit(3)])
    said = text_of(group)
    assert said == "BaseExceptionGroup: g (2 sub-exceptions): ValueError: one; SystemExit: 3"


def test_a_traceback_shows_no_local_variable_and_what_led_to_it() -> None:
    def ask(phone: str) -> None:
        try:
            dict[int, str]()[len(phone)]
        except KeyError as error:
            raise LookupError("no shelf") from error

    try:
        ask("138" + "0" * 8)
    except LookupError as error:
        shown = cause_of(error, __name__).traceback
    assert "13800000000" not in shown
    assert shown.endswith("LookupError: no shelf")
    assert shown.index("KeyError: 11") < shown.index("led to") < shown.index("raise LookupError")


def test_a_signal_has_no_traceback() -> None:
    assert of(Retry(after=1, reason="not yet")).traceback == ""


def test_a_fingerprint_is_that_of_type_and_function_whatever_the_line() -> None:
    known = fingerprint("builtins.ValueError", "my_handlers.ship:12")
    assert known == fingerprint("builtins.ValueError", "my_handlers.ship:99")
    assert len(known) == 12
    assert known != fingerprint("builtins.KeyError", "my_handlers.ship:12")
    assert known != fingerprint("builtins.ValueError", "my_handlers.forget:12")
    assert of(ValueError("one")).fingerprint == of(ValueError("other")).fingerprint
