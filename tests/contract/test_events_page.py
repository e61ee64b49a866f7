"""`docs/events.md` is what the models say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from receiver.contract.page import events_page
from schemas.events import EVENT_MODELS
from tests.pages import anchors

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_page_is_up_to_date() -> None:
    stale = PAGE.read_text(encoding="utf-8") != events_page()
    assert not stale, "docs/events.md is stale: run `make docs`"


def test_every_type_has_a_section() -> None:
    assert {model.event_type.replace(".", "") for model in EVENT_MODELS} <= anchors(events_page())


def test_the_module_prints_the_page() -> None:
    command = [sys.executable, "-m", "receiver.contract", "events"]
    printed = subprocess.run(command, capture_output=True, check=True)
    assert printed.stdout.decode() == events_page()
