"""The NATS server of a run, the streams of the others, and what is really stored."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nats
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig

from bench.contenders import ALL, Contender
from receiver.bus.subjects import Subjects
from receiver.embedded.data_directory import stream_directory
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.staging import BatchStaging, keep_staged
from receiver.resilience import supervision

_DUPLICATE_WINDOW_S = 3 * 3600
"""As Yizhan's: the platform repeats for two and a half hours."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running server, asked over a connection of our own."""

    url: str
    pid: int
    jetstream: JetStreamContext

    async def stored(self, contender: Contender) -> int:
        """How many callbacks of the contender are in its stream."""
        if not contender.stream:
            return 0
        info = await self.jetstream.stream_info(contender.stream, subjects_filter=contender.subject)
        return (info.state.subjects or {}).get(contender.subject, 0)

    async def messages(self, stream: str) -> int:
        """How many messages a stream holds."""
        return (await self.jetstream.stream_info(stream)).state.messages


@contextlib.asynccontextmanager
async def running_broker(directory: Path, *, sync_always: bool) -> AsyncIterator[Broker]:
    """A fresh server; the streams of all but Yizhan exist (Yizhan makes its own)."""
    config = EmbeddedServerConfig(data_dir=directory, port=0, sync_always=sync_always)
    staging = BatchStaging(stream_directory(directory, Subjects().stream))
    keeping = supervision.running(
        partial(keep_staged, staging, owned=lambda: True), name="batch-staging"
    )
    async with EmbeddedServer(config) as server, keeping:
        client = await nats.connect(server.url)
        jetstream = client.jetstream()
        for contender in ALL:
            if contender.stream and contender.server != "yizhan":
                await jetstream.add_stream(
                    StreamConfig(
                        name=contender.stream,
                        subjects=[f"{contender.subject.partition('.')[0]}.>"],
                        storage=StorageType.FILE,
                        duplicate_window=_DUPLICATE_WINDOW_S,
                    )
                )
        try:
            yield Broker(server.url, server.pid, jetstream)
        finally:
            await client.close()
            staging.remove()
