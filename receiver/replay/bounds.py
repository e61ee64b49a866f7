"""What a selection comes to now: its first and last event, how many, and a few of them.

What the subjects and times of a selection say is counted by the server. What lies in headers
(`tests`), and the latest few (`limit`), is looked at event by event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.durables import count_from, first_from, last_of
from receiver.bus.headers import decode_header
from receiver.bus.jetstream_api import call
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader, Scanned
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError
from receiver.worker.replaying.record import Sample

SAMPLES: Final = 5
_LOOKS: Final = 5


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is selected lies from `first_seq` to `last_seq`, both 0 where nothing is."""

    count: int = 0
    first_seq: int = 0
    last_seq: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: Sequence[Sample] = ()


async def bounds_of(
    connection: Connection, selection: StreamSelection, scanned: Scanned = lambda _: None
) -> Bounds:
    """The bounds of a selection, as the stream is now; raises `BusError`."""
    if selection.tests or selection.limit is not None:
        reading = Reader(connection).read(selection, headers_only=True, scanned=scanned)
        return bounds_among([stored async for stored in reading])
    return await _counted(connection, selection)


def bounds_among(found: Sequence[StoredMessage]) -> Bounds:
    """The same of messages that were read, in order."""
    if not found:
        return Bounds()
    step = max(1, (len(found) - 1) // (SAMPLES - 1)) if len(found) > SAMPLES else 1
    sample = deque((found[n] for n in range(0, len(found), step)), maxlen=SAMPLES)
    return Bounds(
        len(found),
        found[0].stream_seq,
        found[-1].stream_seq,
        found[0].stored_at,
        found[-1].stored_at,
        [sample_of(stored) for stored in sample],
    )


def sample_of(stored: StoredMessage) -> Sample:
    """What a plan shows of an event."""
    headers = stored.headers
    return Sample(
        seq=stored.stream_seq,
        event_type=headers.get("ce-type", "").removeprefix("yizhan.").removesuffix(".v1"),
        order_id=decode_header(headers.get("ce-subject", "")) or None,
        stored_at=stored.stored_at,
    )


async def _counted(connection: Connection, selection: StreamSelection) -> Bounds:
    client, stream = connection.client, selection.stream
    subjects = selection.nats_subjects
    end = await _end(connection, selection)
    for _ in range(_LOOKS):
        _, beyond = await count_from(client, stream, subjects, end + 1)
        start = 1 if selection.since is None else selection.since
        _, whole = await count_from(client, stream, subjects, start)
        _, again = await count_from(client, stream, subjects, end + 1)
        if again == beyond:
            break  # else something was stored between the looks
    count = max(0, whole - again)
    if not count:
        return Bounds()
    seq = start if isinstance(start, int) else (await count_from(client, stream, [], start))[0]
    first = await first_from(client, stream, subjects, seq)
    if first is None:
        return Bounds()
    last_seq, last_at = await _last(connection, selection, first.seq, end)
    sample = await _samples(connection, selection, first.seq, last_seq)
    return Bounds(count, first.seq, last_seq, first.time, last_at, sample)


async def _end(connection: Connection, selection: StreamSelection) -> int:
    """The last sequence of the stream that the selection may hold."""
    if selection.until is not None:
        seq, _ = await count_from(connection.client, selection.stream, [], selection.until)
        return seq - 1
    info = await call(connection.client, f"STREAM.INFO.{selection.stream}", {})
    if "error" in info:
        raise BusError(f"the stream {selection.stream}: {info['error'].get('description')}")
    return int(info["state"]["last_seq"])


async def _last(
    connection: Connection, selection: StreamSelection, first: int, end: int
) -> tuple[int, datetime | None]:
    """The last selected up to `end`. Where that is not the last of all, the place is bracketed from
    the end, then halved: the index of subjects leads forwards from a place."""
    client, subjects = connection.client, selection.nats_subjects
    latest = await last_of(client, selection.stream, subjects)
    if latest is not None and latest.seq <= end:
        return latest.seq, latest.time

    async def after(seq: int) -> tuple[int, datetime] | None:
        found = await first_from(client, selection.stream, subjects, seq)
        return (found.seq, found.time) if found is not None and found.seq <= end else None

    low, high, found, step = first, end + 1, None, 1
    while found is None and high > first:
        low = max(first, end + 1 - step)
        if (found := await after(low)) is None:
            high, step = low, step * 4
    while found is not None and found[0] + 1 < high:
        middle = (found[0] + 1 + high) // 2
        later = await after(middle)
        if later is not None:
            found = later
        elif middle == found[0] + 1:
            break
        else:
            high = middle
    return found if found is not None else (first, None)


async def _samples(
    connection: Connection, selection: StreamSelection, first: int, last: int
) -> list[Sample]:
    """A few, spread over the range."""
    reader, stream = Reader(connection), selection.stream
    starts = {first + (last - first) * n // (SAMPLES - 1) for n in range(SAMPLES)}

    async def after(seq: int) -> int | None:
        client = connection.client
        found = await first_from(client, stream, selection.nats_subjects, seq)
        return found.seq if found is not None and found.seq <= last else None

    seqs = await asyncio.gather(*map(after, starts))
    chosen = sorted({seq for seq in seqs if seq is not None})
    messages = await asyncio.gather(*(reader.get(stream, seq) for seq in chosen))
    return [sample_of(stored) for stored in messages if stored is not None]
