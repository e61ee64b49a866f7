"""A real receiver with one source for each dialect, and what it stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from nats.js.api import RawStreamMsg

from receiver.bus.codec import decode_event
from receiver.bus.connection import Connection
from receiver.bus.publish.contract import Submitter
from receiver.bus.subjects import Subjects
from receiver.dialects import DIALECTS
from receiver.event import Event
from receiver.ingest.intake import Intake
from receiver.ingest.sources import Sources
from receiver.observability.counters import DeliveryCounts
from receiver.settings import SourceSettings
from receiver.signatures import global_signature
from receiver.web.app import create_app
from receiver.web.callbacks import CallbackEndpoint
from receiver.web.health import HealthEndpoints
from receiver.web.server import bind, serving
from schemas.events import EventData

KEY, SECRET, TOKEN = "key-1", "secret-1", "t" * 32
TYPES = {"aop": "application/x-www-form-urlencoded"}


def _source(name: str, dialect: str, **values: object) -> SourceSettings:
    return SourceSettings.model_validate({"name": name, "dialect": dialect} | values)


SOURCES = (
    *(
        _source(dialect, dialect, verification="path_token", path_token=TOKEN)
        for dialect in DIALECTS
    ),
    _source("signed", "global", verification="signature", access_key=KEY, secrets=[SECRET]),
)


@dataclass
class Receiver:
    """A running receiver."""

    http: httpx2.AsyncClient
    connection: Connection
    subjects: Subjects

    async def post(self, source: str, body: bytes) -> str:
        """Post a callback; gives the `status` of the answer."""
        headers = {"content-type": TYPES.get(source, "application/json")}
        path = f"/callbacks/{source}/{TOKEN}"
        if source == "signed":
            headers["authorization"] = global_signature(KEY, body, SECRET)
            path = "/callbacks/signed"
        answer = await self.http.post(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    async def stored(self) -> Sequence[RawStreamMsg]:
        """Every message of the stream, in order."""
        jetstream = self.connection.jetstream
        info = await jetstream.stream_info(self.subjects.stream)
        return [
            await jetstream.get_msg(self.subjects.stream, seq)
            for seq in range(1, info.state.last_seq + 1)
        ]

    async def events(self) -> Sequence[Event[EventData]]:
        """Every stored event, in order."""
        return [
            decode_event(message.headers, message.data or b"")
            for message in await self.stored()
            if "ce-id" in (message.headers or {})
        ]

    async def marks(self) -> Mapping[str, str | None]:
        """The callback that each stored callback is marked as a retransmission of."""
        return {event.callback_id: event.retransmission_of for event in await self.events()}


@asynccontextmanager
async def receiving(
    publisher: Submitter, connection: Connection, subjects: Subjects
) -> AsyncIterator[Receiver]:
    """A receiver over a real uvicorn and a real nats-server."""
    endpoint = CallbackEndpoint(
        Intake(publisher, subjects, DIALECTS),
        Sources(SOURCES),
        limit_bytes=1024 * 1024,
        trusted_proxies=[],
        counts=DeliveryCounts(),
    )
    app = create_app(endpoint, HealthEndpoints(connection.probe))
    async with (
        serving(app, bind("127.0.0.1", 0), fast_path=endpoint) as url,
        httpx2.AsyncClient(base_url=url) as http,
    ):
        yield Receiver(http, connection, subjects)
