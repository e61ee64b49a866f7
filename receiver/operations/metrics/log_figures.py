"""What the log holds, as figures: exact, whatever process ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from receiver.bus import durables
from receiver.bus.durables import Durable
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.subjects import Subjects
from receiver.observability.figures import Figures
from receiver.operations.handlers import HandlerOperations, HandlerView
from receiver.operations.look.archive import Archive
from receiver.operations.look.room import disk_document, stream_documents
from receiver.operations.look.silence.facts import last_callbacks
from receiver.operations.look.silence.history import Histories


async def source_figures(archive: Archive, sources: Collection[str], now: datetime) -> Figures:
    """Of each source of which something is stored, and of those of the settings."""
    figures, subjects = Figures(), archive.subjects
    client, stream = archive.connection.client, subjects.stream
    raw = await durables.count_subjects(client, stream, subjects.raw("*"))
    quarantined = await durables.count_subjects(client, stream, subjects.quarantine("*"))
    last = await last_callbacks(archive)
    for subject, count in (*raw.items(), *quarantined.items()):
        source = subject.rpartition(".")[2]
        figures.gauge("yizhan_callbacks_stored", source, value=count)
        figures.gauge("yizhan_quarantine_stored", source, value=count * (subject in quarantined))
    for source, at in last.items():
        name = "yizhan_source_last_callback_timestamp_seconds"
        figures.gauge(name, source, value=at.timestamp())
        silent_s = max(0.0, (now - at).total_seconds())
        figures.gauge("yizhan_source_silence_seconds", source, value=silent_s)
    expected = {source: at for source, at in last.items() if source in sources}
    silences = await Histories(archive, keeps=True).silences(expected, now)
    for source, silence in silences.items():
        if silence is not None:
            name = "yizhan_source_silence_improbability"
            figures.gauge(name, source, value=silence.improbability)
    for source in sources:
        figures.gauge("yizhan_source_never_sent", source, value=int(source not in last))
    return figures


async def stream_figures(
    reader: Reader, subjects: Subjects, free_bytes: int | None, now: datetime
) -> Figures:
    """Of each stream, and of their disk where its free bytes are known."""
    figures = Figures()
    documents = await stream_documents(reader, subjects, free_bytes, now)
    for document in documents:
        name = document["stream"]
        figures.gauge("yizhan_stream_messages", name, value=document["messages"])
        figures.gauge("yizhan_stream_bytes", name, value=document["bytes"])
        figures.count("yizhan_stream_stored", name, by=document["last_seq"])
        if document["full_at"]:
            left_s = _left_s(document["full_at"], now)
            figures.gauge("yizhan_stream_full_seconds", name, value=left_s)
    disk = disk_document(documents, free_bytes, now)
    if disk and disk["full_at"]:
        figures.gauge("yizhan_disk_full_seconds", value=_left_s(disk["full_at"], now))
    return figures


async def handler_figures(
    handlers: HandlerOperations, reader: Reader, subjects: Subjects, now: datetime
) -> Figures:
    """Of each handler that is loaded here, or has a position in the stream."""
    figures = Figures()
    for view in await handlers.backlogs():
        _add_backlog(figures, view, now)
        if view.durable is not None:
            behind = await _behind(reader, subjects, view.durable)
            figures.gauge("yizhan_handler_behind", view.name, value=behind)
    return figures


def _add_backlog(figures: Figures, view: HandlerView, now: datetime) -> None:
    name, durable, oldest = view.name, view.durable, view.oldest
    age_s = max(0.0, (now - oldest.time).total_seconds()) if oldest else 0.0
    paused = durable is not None and durable.pause is not None
    figures.gauge("yizhan_handler_pending", name, value=durable.pending if durable else 0)
    figures.gauge("yizhan_handler_unfinished", name, value=durable.unfinished if durable else 0)
    figures.gauge("yizhan_handler_scheduled", name, value=view.scheduled)
    figures.gauge("yizhan_handler_oldest_unprocessed_seconds", name, value=age_s)
    figures.gauge("yizhan_handler_paused", name, value=int(paused))
    figures.gauge("yizhan_dead_letters", name, value=view.dead_letters)


async def _behind(reader: Reader, subjects: Subjects, durable: Durable) -> int:
    """What of the handler's messages in the log it has done, or passed by before it began."""
    held = await reader.count(StreamSelection(subjects.stream, durable.filters))
    return max(0, held - durable.pending - durable.unfinished)


def _left_s(full_at: str, now: datetime) -> float:
    return max(0.0, (datetime.fromisoformat(full_at) - now).total_seconds())
