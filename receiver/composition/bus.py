"""The bus of the settings: server, connection, streams, publisher."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.credentials import ConnectOptions
from receiver.bus.metrics_stream import metrics_rights
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.publish.raw_age import RawAge
from receiver.bus.rights import Right, reader_rights, stream_rights
from receiver.bus.stream_plan import MARGIN, StreamPlan, plans
from receiver.bus.subjects import Subjects
from receiver.dialects.installed import installed_dialects
from receiver.embedded.data_directory import stream_directory
from receiver.embedded.server import DataDirInUseError, EmbeddedServer, EmbeddedServerConfig
from receiver.embedded.staging import BatchStaging, keep_staged
from receiver.embedded.supervisor import supervise, take_over
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.deadline import Deadline
from receiver.settings import Settings
from receiver.settings.development import DevelopmentSettings

_CLOSE_IT: Final = (
    "every process of this machine may publish events: stop all runs on this data directory, "
    "and start one with sources of its own first"
)
"""A server that a run on development defaults started stays open for as long as it is shared."""


@dataclass(frozen=True, slots=True)
class Bus:
    """The log, opened."""

    url: str
    connection: Connection
    subjects: Subjects
    publisher: GroupCommitPublisher
    staged: Callable[[], bool]
    deadline: Deadline


def retry_horizons(settings: Settings) -> Sequence[timedelta]:
    """How long the platforms of the configured sources go on repeating a callback."""
    configured = {source.dialect for source in settings.sources} or {"xport"}
    dialects = installed_dialects()
    return [dialects[name].retry_horizon for name in configured]


def duplicate_window(settings: Settings) -> timedelta:
    """How long the log has to know the id of a callback."""
    return max(retry_horizons(settings)) + MARGIN


def stream_plans(settings: Settings, subjects: Subjects) -> tuple[StreamPlan, ...]:
    """The streams that the settings ask for."""
    nats = settings.nats
    return plans(
        subjects,
        retry_horizons(settings),
        replicas=nats.replicas,
        max_age=timedelta(days=nats.max_age_days),
        max_bytes=nats.max_bytes or -1,
    )


def raw_age(settings: Settings, subjects: Subjects) -> RawAge | None:
    """The lifetime of raw callbacks; None where it is that of the stream."""
    days = settings.nats.callbacks_max_age_days
    if days is None or days == settings.nats.max_age_days:
        return None
    return RawAge(subjects, timedelta(days=days))


def access(settings: Settings) -> ConnectOptions:
    """How the settings get into NATS."""
    nats = settings.nats
    return ConnectOptions(
        user=nats.user,
        password_file=nats.password_file,
        credentials_file=nats.credentials_file,
        nkey_seed_file=nats.nkey_seed_file,
        tls_ca_file=nats.tls_ca_file,
        tls_cert_file=nats.tls_cert_file,
        tls_key_file=nats.tls_key_file,
    )


@contextlib.asynccontextmanager
async def opened_bus(
    settings: Settings,
    *,
    name: str,
    patience_s: float = 2.0,
    share: bool = True,
    inherit: bool = False,
    receiving: bool = False,
    rights: Sequence[Right] = (),
    deadline: Deadline | None = None,
    staged: Callable[[], bool] | None = None,
) -> AsyncIterator[Bus]:
    """The log of the settings: an external server, or an embedded one that stops with us.

    With `share`, the embedded server of another run on the same data is used while that runs, with
    its users or without any; with `inherit`, it is taken over when that ends, and stays as it was.
    With `receiving`, the server has to let us do what a receiver does, and a limit of its messages
    that is too low is warned of; `rights` are what it has to allow beside what all processes need.
    What works on the bus ends within its `deadline`, as it does itself. `staged` is by default what
    the settings say of the server's batches.
    """
    end = deadline or Deadline(max(settings.receiver.grace_s, settings.handlers.grace_s))
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            running_server(settings, share=share, inherit=inherit, deadline=end)
        )
        subjects = Subjects(settings.nats.subject_root)
        connection = Connection(
            url,
            stream_plans(settings, subjects),
            name=name,
            access=access(settings),
            body_bytes=settings.receiver.limit_bytes if receiving else 0,
            rights=(
                *stream_rights(subjects),
                *((*reader_rights(subjects), *metrics_rights(subjects)) if receiving else ()),
                *rights,
            ),
        )
        staged = staged or batches_staged(settings)
        publisher = GroupCommitPublisher(
            connection, timeout_s=settings.receiver.publish_timeout_s, staged=staged
        )
        try:
            await connection.start(patience_s=patience_s)
            yield Bus(url, connection, subjects, publisher, staged, end)
        finally:
            try:
                await publisher.stop(within_s=end.step_s())
            finally:
                await connection.stop(within_s=end.step_s())


@contextlib.asynccontextmanager
async def running_server(
    settings: Settings,
    *,
    share: bool = True,
    inherit: bool = False,
    deadline: Deadline | None = None,
) -> AsyncIterator[str]:
    """The URL of NATS: that of the settings, else of an embedded server; see `opened_bus`."""
    nats = settings.nats
    if nats.url is not None:
        yield nats.url
        return
    config = EmbeddedServerConfig(
        data_dir=nats.data_dir,
        port=nats.port,
        secured=not isinstance(settings, DevelopmentSettings),
        subject_root=nats.subject_root,
    )
    staging = batch_staging(settings)
    server = EmbeddedServer(config, on_ended=staging.remove)
    try:
        await server.start()
    except DataDirInUseError as error:
        if not share or error.urls is None:
            raise
        if error.urls.open and config.secured and settings.sources:
            get_logger("yizhan.bus").warning("nats_server_open", action=_CLOSE_IT)
        if not inherit:
            yield error.urls.operator
            return
        server.urls = error.urls
        watch = partial(take_over, server)
    else:
        watch = partial(supervise, server)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_stop, server, deadline or Deadline(settings.receiver.grace_s))
        await stack.enter_async_context(supervision.running(watch, name="nats-server-watch"))
        keeping = partial(keep_staged, staging, owned=lambda: server.is_owner)
        await stack.enter_async_context(supervision.running(keeping, name="batch-staging"))
        yield server.url


async def _stop(server: EmbeddedServer, deadline: Deadline) -> None:
    await server.stop(within_s=deadline.step_s())


def batches_staged(settings: Settings) -> Callable[[], bool]:
    """Whether the server stages batches in memory: seen of our own, given of another."""
    if settings.nats.url is not None:
        return lambda: settings.nats.batches_in_memory
    return batch_staging(settings).in_force


def batch_staging(settings: Settings) -> BatchStaging:
    """Where the embedded server stages batches of callbacks."""
    stream = Subjects(settings.nats.subject_root).stream
    return BatchStaging(stream_directory(settings.nats.data_dir.resolve(), stream))
