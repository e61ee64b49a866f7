"""The table of messages against the readers: the fixtures run through their dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.contract.catalogue import SIGNATURE_TRUST, json_schemas, trust_of
from receiver.dialects import DIALECTS
from receiver.dialects.verification import verify
from receiver.messages.alibaba import TOPICS
from receiver.messages.catalogue import MESSAGES, PlatformMessage
from receiver.settings import DialectName, SourceSettings, Verification
from receiver.signatures import aop_signature, global_signature, xport_signature
from schemas.events import EventData
from tests.every import every

FIXTURES = Path(__file__).parents[1] / "fixtures" / "messages"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEY, SECRET, TOKEN = "key-1", "secret-1", "t" * 32
PREFIXES = ("1688_", "TAOBAO_")


@dataclass(frozen=True, slots=True)
class Fixture:
    """One recorded message: `message_type` is the platform's name, where it gives one."""

    file: Path
    dialect: DialectName
    body: str
    event_types: tuple[str, ...]

    def parse(self) -> Callback:
        source = SourceSettings(name="s", dialect=self.dialect, verification="none")
        request = InboundRequest(source, (), self.body.encode(), NOW)
        callback = DIALECTS[self.dialect].parse(VerifiedRequest(request, Proof("none")))
        assert isinstance(callback, Callback)
        return callback


def read_fixtures() -> list[Fixture]:
    found = []
    for file in sorted(FIXTURES.glob("*/*.json")):
        held = json.loads(file.read_text(encoding="utf-8"))
        types = tuple(event["type"] for event in held["events"])
        found.append(Fixture(file, held["dialect"], held["body"], types))
    return found


ALL = read_fixtures()
EACH_FIXTURE = every(ALL)


def row_of(dialect: DialectName, callback: Callback) -> PlatformMessage | None:
    """The row that a message belongs to; None for one that the table leaves to `unknown`."""
    name = callback.message_type or ""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    channel = callback.events[0].data.channel
    rows = [row for row in MESSAGES if dialect in row.dialects]
    of_channel = [row for row in rows if row.channel == channel]
    exact = (row for row in of_channel if row.name == name)
    alike = (row for row in of_channel if fnmatchcase(name.upper(), row.name))
    return next(exact, None) or next(alike, None)


def makes(data: Iterable[EventData]) -> set[str]:
    return {each.event_type for each in data}


@EACH_FIXTURE
def test_a_message_makes_only_what_its_row_says(fixture: Fixture) -> None:
    callback = fixture.parse()
    made = makes([draft.data for draft in callback.events])
    row = row_of(fixture.dialect, callback)
    if row is not None:
        assert made <= set(row.event_types)
    elif callback.events[0].data.channel == "taobao" and fixture.dialect == "xport":
        assert made <= {name for each in MESSAGES for name in each.event_types}
    else:
        assert made == {"unknown.received"}


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    return json_schemas()


@EACH_FIXTURE
def test_what_a_message_makes_fits_the_published_schema(
    fixture: Fixture, schemas: dict[str, dict[str, Any]]
) -> None:
    for draft in fixture.parse().events:
        schema = schemas[f"{draft.data.event_type}.v1.json"]
        Draft202012Validator(schema).validate(draft.data.model_dump(mode="json"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_row_has_a_fixture(dialect: DialectName) -> None:
    parsed = [fixture.parse() for fixture in ALL if fixture.dialect == dialect]
    shown = {row.title for callback in parsed if (row := row_of(dialect, callback))}
    assert {row.title for row in MESSAGES if dialect in row.dialects} - shown == set()


def test_every_event_that_a_message_makes_has_a_fixture() -> None:
    drafts = (draft.data for fixture in ALL for draft in fixture.parse().events)
    told = {name for row in MESSAGES for name in row.event_types}
    assert told - makes(drafts) == set()


def test_the_rows_of_the_1688_channel_are_the_topics_that_are_read() -> None:
    rows = [row for row in MESSAGES if row.channel == "1688"]
    assert len({row.name for row in rows}) == len(rows)
    read = {row.name for row in rows if row.event_types != ("unknown.received",)}
    assert read == set(TOPICS)


def xport_request(source: SourceSettings) -> InboundRequest:
    timestamp, nonce = str(int(NOW.timestamp())), "n" * 32
    signature = xport_signature(KEY, timestamp, nonce, SECRET)
    headers = {"access-key": KEY, "timestamp": timestamp, "nonce-str": nonce}
    return request(source, headers | {"signature": signature}, b"{}")


def aop_request(source: SourceSettings) -> InboundRequest:
    form = {"message": "{}"}
    signed = form | {"_aop_signature": aop_signature(form.items(), SECRET)}
    return request(source, {}, urlencode(signed).encode())


def global_request(source: SourceSettings) -> InboundRequest:
    signature = global_signature(KEY, b"{}", SECRET)
    return request(source, {"authorization": signature}, b"{}")


def request(source: SourceSettings, headers: dict[str, str], body: bytes) -> InboundRequest:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return InboundRequest(source, raw, body, NOW, path_token=TOKEN)


SIGNED = {"xport": xport_request, "aop": aop_request, "global": global_request}


@pytest.mark.parametrize("verification", ["signature", "path_token", "both", "none"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_trust_of_an_event_is_what_verification_proved(
    dialect: DialectName, verification: Verification
) -> None:
    source = SourceSettings(
        name="s",
        dialect=dialect,
        verification=verification,
        access_key=KEY,
        secrets=(SecretStr(SECRET),),
        path_token=SecretStr(TOKEN),
    )
    verified = verify(DIALECTS[dialect], SIGNED[dialect](source), NOW)
    assert verified.proof.trust == trust_of(dialect, verification)


def test_the_trust_of_every_dialect_is_documented() -> None:
    assert set(SIGNATURE_TRUST) == set(DIALECTS)
