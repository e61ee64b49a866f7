"""`yizhan check` on NATS: the server, what it lets us do, the streams, and the consumers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from nats.errors import Error as NatsError

from receiver.bus.access import without_credentials
from receiver.bus.connection import Connection
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.data_directory import is_owned, server_pid
from receiver.bus.examination import copies_of, examine_consumer, examine_stream
from receiver.bus.fitness import check_payload
from receiver.bus.refusals import check_may_publish
from receiver.bus.server_urls import announced
from receiver.bus.subjects import Subjects
from receiver.cli.compose import access, stream_plans
from receiver.cli.findings import Finding
from receiver.cli.machine_probe import embedded_server
from receiver.consumer import Pace, consumer_plan
from receiver.errors import BusError, ConfigurationError
from receiver.loading import load_handlers
from receiver.settings import Settings


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
        try:
            check_payload(connection.client, settings.receiver.limit_bytes)
        except ConfigurationError as error:
            yield Finding(str(error), well=False)
        async for finding in _streams(settings, connection):
            yield finding
        async for finding in _consumers(settings, connection):
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


async def _streams(settings: Settings, connection: Connection) -> AsyncIterator[Finding]:
    client = connection.client
    for plan in stream_plans(settings, Subjects(settings.nats.subject_root)):
        looking = examine_stream(client, plan, clustered=client.is_clustered)
        seen = await connection.allowed(client, looking)
        yield Finding(seen.text)
        for warning in seen.warnings:
            yield Finding(warning, None)
        for name in await connection.allowed(client, copies_of(client, plan)):
            yield Finding(f"the stream {name} stores a copy of {plan.republished}", None)
        await connection.allowed(client, check_may_publish(client, [plan.subjects[0]]))
    if refusal := await _subscription_refused(settings, connection):
        yield Finding(f"NATS refuses: {refusal}: see the permissions in docs/subscribing.md", None)


async def _subscription_refused(settings: Settings, connection: Connection) -> str:
    """What the server says to a subscription by which receivers tell each other; mostly nothing."""
    client = connection.client
    try:
        subscription = await client.subscribe(Subjects(settings.nats.subject_root).said)
        await client.flush(timeout=5)
        await subscription.unsubscribe()
    except (NatsError, OSError) as error:
        raise BusError(f"the server does not answer: {type(error).__name__}") from error
    return connection.refusal


async def _consumers(settings: Settings, connection: Connection) -> AsyncIterator[Finding]:
    for plan in _consumer_plans(settings):
        looking = examine_consumer(connection.client, plan)
        if warning := await connection.allowed(connection.client, looking):
            yield Finding(warning, None)


def _consumer_plans(settings: Settings) -> Iterator[ConsumerPlan]:
    subjects = Subjects(settings.nats.subject_root)
    with contextlib.suppress(ConfigurationError):  # which is reported of the handlers
        for handler in load_handlers(settings.handlers.load):
            if settings.api is not None or not handler.needs_api:
                yield consumer_plan(handler, subjects, Pace())
