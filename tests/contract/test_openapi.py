"""The OpenAPI document is valid, and the receiver answers what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, get_args

import httpx2
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import OnResult, Stored
from receiver.bus.subjects import Subjects
from receiver.contract.asyncapi import asyncapi
from receiver.contract.documents import documents
from receiver.contract.openapi import openapi
from receiver.dialects import DIALECTS
from receiver.errors import BusError
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.ingest.storing import Outcome
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.spool.file import SpoolState
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints

SERVER = "http://receiver"
DOCUMENT = openapi(server=SERVER)
URI = "urn:yizhan:openapi"
TOKEN = "t" * 32
MAX_BYTES = 2048
CALLBACK = b'{"messageType":"ORDER_CREATE","messageBody":{"orderId":"2745812000123456789"}}'
SOURCES = (
    SourceSettings(name="open", dialect="xport", verification="none"),
    SourceSettings(
        name="secret", dialect="xport", verification="path_token", path_token=SecretStr(TOKEN)
    ),
)


class Log:
    """Acknowledges every message, or none while `away`."""

    away = False

    def submit(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None, done: OnResult
    ) -> None:
        if self.away:
            done(BusError("no acknowledgement in time"))
        else:
            done([Stored(number, duplicate=False) for number, _ in enumerate(messages, start=1)])

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        return None

    async def probe(self) -> None:
        if self.away:
            raise BusError("NATS is away")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def client(log: Log) -> AsyncIterator[httpx2.AsyncClient]:
    endpoint = CallbackEndpoint(
        Intake(log, Subjects(), DIALECTS),
        Sources(SOURCES),
        limit_bytes=MAX_BYTES,
        counts=DeliveryCounts(),
    )
    served = documents(Subjects(), nats_url="nats://127.0.0.1:4222", server=SERVER)
    app = create_app(endpoint, HealthEndpoints(log.probe), served)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=SERVER) as opened:
        yield opened


def check(operation: dict[str, Any], response: httpx2.Response) -> None:
    """The answer is one that the operation tells of."""
    told = operation["responses"][str(response.status_code)]
    assert set(told.get("headers", ())) <= {name.title() for name in response.headers}
    if "content" not in told:
        assert response.content == b""
        return
    schema = told["content"][response.headers["content-type"]]["schema"]
    registry = Registry().with_resource(URI, DRAFT202012.create_resource(DOCUMENT))
    absolute = {"$ref": URI + schema["$ref"]} if "$ref" in schema else schema
    Draft202012Validator(absolute, registry=registry).validate(response.json())
    example = told["content"]["application/json"].get("example")
    assert example in (None, response.json())


def test_the_document_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_documented_outcomes_are_those_of_a_receipt() -> None:
    told = DOCUMENT["components"]["schemas"]["Receipt"]["properties"]["status"]["enum"]
    assert told == list(get_args(Outcome))


def test_the_server_is_that_of_the_settings() -> None:
    document = openapi(server="https://post.example")
    assert document["servers"] == [{"url": "https://post.example"}]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/callbacks/open", CALLBACK, 200),
        ("/callbacks/open", b"", 200),
        ("/callbacks/open", b"{}", 200),
        ("/callbacks/open", b"not JSON", 400),
        ("/callbacks/secret", CALLBACK, 401),
        ("/callbacks/nobody", CALLBACK, 404),
        ("/callbacks/open", b"x" * (MAX_BYTES + 1), 413),
    ],
)
async def test_a_post_is_answered_as_told(
    client: httpx2.AsyncClient, path: str, content: bytes, status: int
) -> None:
    response = await client.post(path, content=content)
    assert response.status_code == status
    check(DOCUMENT["paths"]["/callbacks/{source}"]["post"], response)


async def test_a_post_to_the_secret_url_is_answered_as_told(client: httpx2.AsyncClient) -> None:
    response = await client.post(f"/callbacks/secret/{TOKEN}", content=CALLBACK)
    assert response.status_code == 200
    check(DOCUMENT["paths"]["/callbacks/{source}/{path_token}"]["post"], response)


async def test_a_post_of_another_type_is_answered_as_told(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "image/png"}
    response = await client.post("/callbacks/open", content=CALLBACK, headers=headers)
    assert response.status_code == 415
    check(DOCUMENT["paths"]["/callbacks/{source}"]["post"], response)


async def test_a_log_that_is_away_is_answered_as_told(client: httpx2.AsyncClient, log: Log) -> None:
    log.away = True
    posted, ready = await asyncio.gather(
        client.post("/callbacks/open", content=CALLBACK), client.get("/readyz")
    )
    assert (posted.status_code, ready.status_code) == (503, 503)
    check(DOCUMENT["paths"]["/callbacks/{source}"]["post"], posted)
    check(DOCUMENT["paths"]["/readyz"]["get"], ready)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status"),
    [("/callbacks/open", 200), ("/callbacks/secret", 401), ("/callbacks/nobody", 404)],
)
async def test_a_check_is_answered_as_told(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    check(DOCUMENT["paths"]["/callbacks/{source}"][method.lower()], response)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_a_probe_is_answered_as_told(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    check(DOCUMENT["paths"][path]["get"], response)


@pytest.mark.parametrize("away", [False, True])
async def test_every_member_of_readyz_is_documented(log: Log, away: bool) -> None:
    log.away = away

    async def spool() -> SpoolState:
        if away:
            raise BusError("the spool is full")
        return SpoolState(depth=2, size_bytes=4096, oldest_age_s=1.25)

    health = HealthEndpoints(log.probe, spool, warnings=lambda: ["the stream is nearly full"])
    endpoint = CallbackEndpoint(
        Intake(log, Subjects(), DIALECTS),
        Sources(SOURCES),
        limit_bytes=MAX_BYTES,
        counts=DeliveryCounts(),
    )
    app = create_app(endpoint, health, {})
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=SERVER) as client:
        response = await client.get("/readyz")
    told = DOCUMENT["paths"]["/readyz"]["get"]
    check(told, response)
    answer = told["responses"][str(response.status_code)]
    properties = answer["content"]["application/json"]["schema"]["properties"]
    assert response.json()["warnings"] == ["the stream is nearly full"]
    assert response.json().keys() <= properties.keys()
    assert ("reason" if away else "spool") in response.json()


@pytest.mark.parametrize(
    ("path", "document"), [("/asyncapi.json", asyncapi(Subjects())), ("/openapi.json", DOCUMENT)]
)
async def test_a_document_is_served_as_told(
    client: httpx2.AsyncClient, path: str, document: dict[str, Any]
) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (200, document)
    check(DOCUMENT["paths"][path]["get"], response)


async def test_another_method_is_answered_405(client: httpx2.AsyncClient) -> None:
    response = await client.put("/callbacks/open", content=CALLBACK)
    assert response.status_code == 405
    assert "405" in DOCUMENT["paths"]["/callbacks/{source}"]["description"]
