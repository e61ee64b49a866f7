"""What lies in this machine's data directory, while the NATS of the settings holds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import call
from receiver.bus.rights import Right, may_see_stream
from receiver.bus.subjects import Subjects
from receiver.cli.findings import Finding
from receiver.embedded.data_directory import stream_directory
from receiver.settings import Settings


async def left_behind(
    settings: Settings, connection: Connection, missing: Sequence[Right]
) -> AsyncIterator[Finding]:
    """A finding where a move to another NATS may have been forgotten; raises `BusError`."""
    stream = Subjects(settings.nats.subject_root).stream
    if settings.nats.url is None or not may_see_stream(missing, stream):
        return
    if not _holds_messages(stream_directory(settings.nats.data_dir, stream)):
        return
    info = await call(connection.client, f"STREAM.INFO.{stream}", {})
    if not info.get("state", {}).get("messages"):
        yield Finding(
            f"the stream {stream} is empty there, and the one in {settings.nats.data_dir} is not: "
            "to take that over, export it from there, and import it before the handlers start "
            "(docs/moving.md)",
            well=None,
        )


def _holds_messages(directory: Path) -> bool:
    """Whether a server left messages of a stream there."""
    try:
        return any(file.stat().st_size for file in (directory / "msgs").glob("*.blk"))
    except OSError:
        return False
