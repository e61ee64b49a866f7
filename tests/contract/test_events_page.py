"""`docs/events.md` is what the models say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from receiver.contract.page import events_page
from schemas.events import EVENT_MODELS

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


def anchors(page: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_page_is_up_to_date() -> None:
    stale = PAGE.read_text(encoding="utf-8") != events_page()
    assert not stale, "docs/events.md is stale: run `make docs`"


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = events_page()
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors(page)


def test_every_type_has_a_section() -> None:
    assert {model.event_type.replace(".", "") for model in EVENT_MODELS} <= anchors(events_page())


def test_the_module_prints_the_page() -> None:
    command = [sys.executable, "-m", "receiver.contract"]
    printed = subprocess.run(command, capture_output=True, check=True)
    assert printed.stdout.decode() == events_page()
