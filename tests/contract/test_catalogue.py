"""The catalogue: what `yizhan events` prints and writes."""

from __future__ import annotations

import json

import pytest

from receiver.bus.subjects import Subjects
from receiver.contract.catalogue import Entry, catalogue, catalogue_text, examples
from schemas.events import EVENT_MODELS

ENTRIES = catalogue(Subjects())
EACH_ENTRY = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.event_type)


def matches(subject: str, pattern: str) -> bool:
    tokens, wanted = subject.split("."), pattern.split(".")
    return len(tokens) == len(wanted) and all(
        want in {"*", token} for token, want in zip(tokens, wanted, strict=True)
    )


@EACH_ENTRY
def test_an_entry_describes_the_event_whole(entry: Entry) -> None:
    assert entry.description.endswith(".")
    assert entry.pattern == f"yizhan.events.<channel>.{entry.event_type}.<order id>"
    assert entry.origin_text


@EACH_ENTRY
def test_the_example_arrives_where_the_filter_listens(entry: Entry) -> None:
    assert matches(entry.example()["subject"], entry.filter)


def test_only_what_handlers_make_has_no_message() -> None:
    made = [entry.event_type for entry in ENTRIES if not entry.messages]
    assert made == ["order.synced", "logistics.tracked", "aftersales.synced"]


def test_what_a_handler_made_names_its_cause() -> None:
    headers = examples(Subjects())["logistics.tracked.json"]["headers"]
    assert headers["ce-origin"] == "handler"
    assert headers["ce-id"] == f"{headers['ce-causationid']}.fetch_tracking.0"


def test_the_text_lists_every_type_under_the_root_of_the_settings() -> None:
    text = catalogue_text(Subjects("post"))
    for model in EVENT_MODELS:
        assert f"\n  subscribe  post.events.*.{model.event_type}.*\n" in text


def test_the_examples_are_plain_json() -> None:
    written = examples(Subjects())
    assert json.loads(json.dumps(written)) == written
