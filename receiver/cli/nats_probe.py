"""`yizhan check` on NATS: the server, what it lets us do, the streams, and the consumers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

from receiver.bus.audit_stream import audit_rights
from receiver.bus.connection import Connection
from receiver.bus.credentials import without_credentials
from receiver.bus.examination import copies_of, examine_consumer, examine_stream
from receiver.bus.fitness import payload_warning
from receiver.bus.rights import (
    Right,
    looking_rights,
    may_see_consumer,
    may_see_stream,
    reader_rights,
    stream_rights,
)
from receiver.bus.runs_stream import runs_info
from receiver.bus.state.plan import state_contradictions
from receiver.bus.state.store import state_info
from receiver.bus.subjects import Subjects
from receiver.cli.findings import Finding
from receiver.cli.left_behind import left_behind
from receiver.cli.machine_probe import embedded_server
from receiver.cli.permissions import consumer_plans, rights_to_handle
from receiver.composition.bus import access, batches_staged, stream_plans
from receiver.embedded.data_directory import is_owned, server_pid
from receiver.embedded.server_urls import announced
from receiver.errors import BusError, ConfigurationError
from receiver.operations.handlers import HandlerOperations
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers


async def nats(settings: Settings) -> AsyncIterator[Finding]:
    """The server of the settings, or the embedded one where it runs already."""
    url = settings.nats.url or _embedded_url(settings)
    if url is None:
        async for finding in embedded_server(settings):
            yield finding
        return
    connection = Connection(url, (), name="yizhan-check", access=access(settings))
    try:
        if not await connection.start(patience_s=2.0):
            raise BusError(_why_not(settings, connection))
        server = connection.client.connected_server_version
        version = f"{server.major}.{server.minor}.{server.patch}"
        yield Finding(f"{without_credentials(url)}, server {version}")
        if settings.nats.replicas == 1:
            place = "in memory" if batches_staged(settings)() else "on disk (docs/operations.md)"
            yield Finding(f"atomic batches are staged {place}")
        if warning := payload_warning(connection.client, settings.receiver.limit_bytes):
            yield Finding(warning, well=None)
        missing = await connection.missing(connection.client, _rights(settings))
        for right in missing:
            if not right.changes_stream:
                yield Finding(right.sentence, well=False if right.needed else None)
        async for finding in _streams(settings, connection, missing):
            yield finding
        async for finding in _consumers(settings, connection, missing):
            yield finding
    finally:
        await connection.stop()


def _embedded_url(settings: Settings) -> str | None:
    """With the password of our own user, as the run that has the server left it there; None where
    none runs.
    """
    data_dir = settings.nats.data_dir
    try:
        urls = announced(data_dir) if is_owned(data_dir) else None
    except OSError as error:
        raise BusError(f"nats.data_dir: {data_dir}: cannot be read: {error.strerror}") from error
    return None if urls is None else urls.operator


def _why_not(settings: Settings, connection: Connection) -> str:
    shown, embedded = without_credentials(connection.url), settings.nats.url is None
    if connection.refused:
        way_in = (
            f"stop every run on {settings.nats.data_dir}, then start again"
            if embedded
            else "put user and password into nats.url, or set nats.user and nats.password_file, "
            "nats.credentials_file or nats.nkey_seed_file"
        )
        return f"{shown} refuses us: {connection.refusal}: {way_in}"
    if connection.refusal:
        return f"{shown} refuses us: {connection.refusal}"
    if embedded:
        pid = server_pid(settings.nats.data_dir)
        return (
            f"{shown}, the embedded server of another run (process {pid}), does not answer: "
            "end that run, then start again"
        )
    return f"{shown} does not answer: start it, or correct nats.url"


def _rights(settings: Settings) -> Iterator[Right]:
    """All that a receiver, the handlers and this check need."""
    subjects = Subjects(settings.nats.subject_root)
    yield from stream_rights(subjects)
    yield from reader_rights(subjects)
    yield from rights_to_handle(settings)
    yield from audit_rights(subjects)
    yield from looking_rights()


async def _streams(
    settings: Settings, connection: Connection, missing: Sequence[Right]
) -> AsyncIterator[Finding]:
    client, refused = connection.client, {right.subject: right for right in missing}
    alone = any(right.subject in refused for right in looking_rights())
    for plan in stream_plans(settings, Subjects(settings.nats.subject_root)):
        change = ""
        if may_see_stream(missing, plan.name):
            looking = examine_stream(client, plan, clustered=client.is_clustered, alone=alone)
            seen = await connection.allowed(client, looking)
            change = seen.change
            yield Finding(seen.text)
            for warning in seen.warnings:
                yield Finding(warning, None)
            for name in () if alone else await connection.allowed(client, copies_of(client, plan)):
                yield Finding(f"the stream {name} stores a copy of {plan.republished}", None)
        for verb in ("CREATE", "UPDATE"):
            if right := refused.get(f"$JS.API.STREAM.{verb}.{plan.name}"):
                yield Finding(right.sentence, well=False if verb == change else None)
    async for finding in _runs(settings, connection, missing):
        yield finding
    async for finding in _state(settings, connection, missing):
        yield finding
    async for finding in left_behind(settings, connection, missing):
        yield finding


async def _runs(
    settings: Settings, connection: Connection, missing: Sequence[Right]
) -> AsyncIterator[Finding]:
    """The stream of run records, which keeps nothing from running."""
    client, subjects = connection.client, Subjects(settings.nats.subject_root)
    name = subjects.runs_stream
    if not may_see_stream(missing, name):
        return
    try:
        info = await connection.allowed(client, runs_info(client, subjects))
    except BusError as error:
        yield Finding(str(error), None)
        return
    if info is None:
        yield Finding(f"stream {name} is not there yet: the handlers make it")
    elif subjects.all_runs in info["config"].get("subjects", ()):
        yield Finding(f"stream {name}, {info['state']['messages']} messages")
    else:
        action = f"add {subjects.all_runs} to it, or delete it"
        yield Finding(
            f"the stream {name} takes other subjects, so no run is recorded: {action}", None
        )


async def _state(
    settings: Settings, connection: Connection, missing: Sequence[Right]
) -> AsyncIterator[Finding]:
    """The stream of what handlers keep: one that cannot keep it ends a worker's start."""
    subjects = Subjects(settings.nats.subject_root)
    name = subjects.state_stream
    if not may_see_stream(missing, name):
        return
    try:
        info = await connection.allowed(connection.client, state_info(connection, subjects))
    except BusError as error:
        yield Finding(str(error), None)
        return
    if info is None:
        yield Finding(f"stream {name} is not there yet: the handlers make it")
    elif reasons := state_contradictions(info["config"]):
        yield Finding(f"the stream {name}: {'; '.join(reasons)}", well=False)
    else:
        yield Finding(f"stream {name}, {info['state']['messages']} entries")


async def _consumers(
    settings: Settings, connection: Connection, missing: Sequence[Right]
) -> AsyncIterator[Finding]:
    for plan in consumer_plans(settings):
        if not may_see_consumer(missing, plan):
            continue
        looking = examine_consumer(connection.client, plan)
        try:
            if warning := await connection.allowed(connection.client, looking):
                yield Finding(warning, None)
        except ConfigurationError as error:  # of this one: the others may have faults of their own
            yield Finding(str(error), well=False)
    for orphan in await _orphans(settings, connection):
        yield Finding(orphan, None)


async def _orphans(settings: Settings, connection: Connection) -> list[str]:
    """A sentence for each durable of a handler that is not loaded; none where we may not look, or
    where the handlers do not load, which is reported of them."""
    try:
        loaded = configured_handlers(settings.handlers)
        subjects, kept = Subjects(settings.nats.subject_root), timedelta()
        operations = HandlerOperations(connection, subjects, loaded, kept=kept)
        orphans = await operations.orphans()
    except ConfigurationError:
        return []
    return [
        f"the consumer {orphan.name} is of a handler that is not loaded, and "
        f"{orphan.pending + orphan.unfinished} events wait for it: load it, or delete that "
        "position with `yizhan check --prune`"
        for orphan in orphans
    ]
