"""The AsyncAPI document: its structure, its examples and, with Node, the official parser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from receiver.bus.codec import encode_event
from receiver.bus.subjects import Subjects
from receiver.contract.asyncapi import asyncapi, event_headers
from receiver.contract.catalogue import example_event
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.testing import NOON, make_event, run_handler
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from receiver.worker.run_records import RunRecord
from schemas.events import EVENT_MODELS, OrderCreated

DOCUMENT = asyncapi(Subjects())
NODE_DIR = Path(__file__).parent / "node"
URI = "urn:yizhan:asyncapi"


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def target(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def validator(reference: str) -> Draft7Validator:
    """A validator of a schema inside the document."""
    registry = Registry().with_resource(URI, DRAFT7.create_resource(DOCUMENT))
    return Draft7Validator(
        {"$ref": f"{URI}{reference}"},
        registry=registry,
        format_checker=Draft7Validator.FORMAT_CHECKER,
    )


def test_every_reference_leads_inside_the_document() -> None:
    for reference in references(DOCUMENT):
        assert target(reference)


OF_HANDLERS = ["dead letter", "run of a handler", "schedule", "coalescing event", "due event"]


def test_there_is_one_channel_and_one_operation_for_each_type() -> None:
    titles = [channel["title"] for channel in DOCUMENT["channels"].values()]
    assert titles == [
        *(model.event_type for model in EVENT_MODELS),
        *OF_HANDLERS,
        "act of an operator",
    ]
    assert {op["action"] for op in DOCUMENT["operations"].values()} == {"send"}
    sent = [op["channel"]["$ref"] for op in DOCUMENT["operations"].values()]
    assert sent == [f"#/channels/{name}" for name in DOCUMENT["channels"]]


def test_the_address_names_exactly_its_parameters() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


def test_an_operation_sends_a_message_of_its_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_the_example_of_a_message_fits_it(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    for example in message.get("examples", ()):
        validator(message["payload"]["$ref"]).validate(example["payload"])
        validator(f"#/components/messages/{name}/headers").validate(example["headers"])


def test_the_documented_headers_are_the_headers_sent() -> None:
    event = replace(
        example_event(EVENT_MODELS[0]),
        causation_id="c.0",
        retransmission_of="c",
        simulated=True,
        extensions={"replayof": "c", "traceparent": "00-"},
    )
    sent = encode_event(event, Subjects()).headers
    assert set(event_headers()["properties"]) == set(sent)


async def test_the_documented_headers_of_a_letter_are_the_headers_sent() -> None:
    async def fail(event: Event[OrderCreated], ctx: Context) -> None:
        raise ConfigurationError("never")

    router = Router()
    router.on(OrderCreated)(fail)
    ran = await run_handler(router.handlers[0], make_event(OrderCreated(channel="1688")))
    (letter,) = ran.dead_letters
    documented = DOCUMENT["components"]["messages"]["deadLetter"]["headers"]["properties"]
    sent = {name for name in letter.headers if not name.startswith("ce-")}
    assert sent | {"yizhan-timer"} == set(documented)
    assert letter.subject.startswith("yizhan.dead.fail.")


def test_a_record_of_a_run_fits_its_schema() -> None:
    record = RunRecord(None, 1, 1, NOON.isoformat(), 0.5, "done", None, None, ["a.0"], 1, [], 0)
    validator("#/components/schemas/RunRecord").validate(json.loads(json.dumps(asdict(record))))


def test_a_header_that_was_published_stays() -> None:
    """Their meaning is stored for years: a name here is never removed, and none is added to what
    every message must have, since stored messages lack it."""
    headers = event_headers()
    assert {
        *("ce-factid", "ce-subject", "ce-causationid", "ce-retransmissionof"),
        *("ce-replayof", "ce-simulated", "traceparent"),
    } <= headers["properties"].keys() - set(headers["required"])
    assert set(headers["required"]) == {
        *("Nats-Msg-Id", "ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time"),
        *("ce-dataschema", "ce-datacontenttype", "ce-channel", "ce-receivedtime"),
        *("ce-callbackid", "ce-trust", "ce-origin"),
    }


def test_the_required_headers_are_always_sent() -> None:
    """And the fact id is; only, events that an older version stored lack it."""
    bare = EVENT_MODELS[-1].model_validate({"channel": "unknown"})
    event = replace(
        example_event(EVENT_MODELS[-1]), data=bare, traceparent=None, time=datetime.now(UTC)
    )
    sent = set(encode_event(event, Subjects()).headers)
    assert {*event_headers()["required"], "ce-factid"} == sent


def test_the_root_is_that_of_the_settings() -> None:
    document = asyncapi(Subjects("post"))
    assert document["channels"]["orderCreated"]["address"].startswith("post.events.")


@pytest.mark.parametrize(
    ("nats_url", "host"),
    [
        ("nats://127.0.0.1:4222", "127.0.0.1:4222"),
        ("nats://user:p@ss@nats.internal:4222/", "nats.internal:4222"),
        ("tls://one:4222,tls://user:secret@two:4222", "one:4222"),
        ("[::1]:4222", "[::1]:4222"),
    ],
)
def test_the_server_is_named_without_credentials(nats_url: str, host: str) -> None:
    assert asyncapi(Subjects(), nats_url=nats_url)["servers"]["nats"]["host"] == host


def test_the_official_parser_finds_no_fault(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (NODE_DIR / "node_modules" / "@asyncapi" / "parser").is_dir():
        pytest.skip("run `npm install` in tests/contract/node first")
    file = tmp_path / "asyncapi.json"
    file.write_text(json.dumps(DOCUMENT), encoding="utf-8")
    command = [node, str(NODE_DIR / "parse.mjs"), str(file)]
    parsed = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert parsed.returncode == 0, parsed.stderr.decode() + parsed.stdout.decode()
    assert json.loads(parsed.stdout) == {
        "version": "3.0.0",
        "channels": len(EVENT_MODELS) + len(OF_HANDLERS),
        "operations": len(EVENT_MODELS) + len(OF_HANDLERS),
        "messages": len(EVENT_MODELS) + len(OF_HANDLERS),
        "errors": [],
    }
