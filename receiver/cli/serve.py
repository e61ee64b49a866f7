"""`yizhan receive` and `work`: the processes of a deployment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from receiver.cli.app import RUN, ConfigOption, app, examples
from receiver.cli.code_watch import ReloadOption
from receiver.cli.configuration import load_to_receive, load_to_serve
from receiver.cli.durability import warn_of_loss
from receiver.cli.greeting import Greeting, greeted
from receiver.cli.liveness import beating
from receiver.cli.permissions import rights_to_handle
from receiver.cli.preflight import ready
from receiver.cli.process import Stop, run, tune_gc
from receiver.cli.reload import reloading
from receiver.cli.supervised_handlers import supervised_handlers
from receiver.cli.supervisor import bind_all, running_workers
from receiver.composition.bus import opened_bus, running_server
from receiver.composition.handler_port import bind_handler_port, here, serving_handlers
from receiver.composition.operations import watching_expiry
from receiver.composition.receiver import running_receiver
from receiver.composition.worker import running_worker
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.settings import Settings
from receiver.web.server import base_url


@app.command(rich_help_panel=RUN, epilog=examples("yizhan receive", "yizhan receive -c shop.toml"))
def receive(config: ConfigOption = None) -> None:
    """Run the receiver alone: callbacks in, events out."""
    settings, developing = load_to_receive(config)

    async def alone(stop: Stop) -> None:
        async with (  # it listens only when the bus is open, or known to be away
            opened_bus(
                settings,
                name="yizhan-receive",
                inherit=True,
                receiving=True,
                deadline=stop.deadline,
            ) as bus,
            running_receiver(settings, bus, bind_all(settings)[0]) as receiver,
            reloading(config, settings, receiver, bus),
            warning_of_loss(settings),
        ):
            greeting = Greeting(settings, config, receiver.url, bus.url, development=developing)
            _log_no_handlers()
            tune_gc()
            async with greeted(greeting):
                await _stopped(stop)

    async def with_workers(stop: Stop) -> None:
        listeners = bind_all(settings)
        async with (
            running_server(settings, inherit=True, deadline=stop.deadline) as nats_url,
            running_workers(config, settings, nats_url, listeners, deadline=stop.deadline),
            warning_of_loss(settings),
        ):
            url = base_url(listeners[0], tls=settings.receiver.tls_cert_file is not None)
            greeting = Greeting(settings, config, url, nats_url, development=developing)
            _log_no_handlers()
            async with greeted(greeting):
                await _stopped(stop)

    async def main(stop: Stop) -> int:
        await ready(settings, working=False)
        await (alone if settings.receiver.workers == 1 else with_workers)(stop)
        return 0

    run(main, grace_s=settings.receiver.grace_s, stays=True)


def warning_of_loss(settings: Settings) -> contextlib.AbstractAsyncContextManager[None]:
    """Beside the rest, since a monitoring that does not answer must not delay a callback."""
    return supervision.running(partial(warn_of_loss, settings), name="durability")


def _log_no_handlers() -> None:
    get_logger("yizhan").info(
        "handlers_not_run", reason="`yizhan work` runs handlers, `receive` does not"
    )


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()
    get_logger("yizhan").info("stopping")


@app.command(rich_help_panel=RUN, epilog=examples("yizhan work", "yizhan work --reload"))
def work(config: ConfigOption = None, reload: ReloadOption = False) -> None:
    """Run the handlers alone."""
    settings, _ = load_to_serve(config)

    async def main(stop: Stop) -> int:
        await ready(settings, receiving=False)
        async with (_working_below if reload else _working)(settings, stop):
            log = get_logger("yizhan")
            log.info("receiver_not_run", reason="`yizhan receive` takes callbacks, `work` does not")
            log.info("working", handlers=list(settings.handlers.load))
            await _stopped(stop)
        return 0

    run(main, grace_s=settings.handlers.grace_s, stays=True)


@contextlib.asynccontextmanager
async def _working(settings: Settings, stop: Stop) -> AsyncIterator[None]:
    """The handlers in this process."""
    listener = bind_handler_port(settings)
    rights = rights_to_handle(settings)
    opening = opened_bus(
        settings, name="yizhan-work", inherit=True, rights=rights, deadline=stop.deadline
    )
    async with (
        opening as bus,
        running_worker(settings, bus) as worker,
        beating(worker, settings.nats.data_dir),
        watching_expiry(settings, bus, worker.owns),
        serving_handlers(settings, bus, listener, here(worker)),
    ):
        yield


@contextlib.asynccontextmanager
async def _working_below(settings: Settings, stop: Stop) -> AsyncIterator[None]:
    """The handlers in processes that are restarted when their code changes."""
    opening = opened_bus(settings, name="yizhan-work", inherit=True, deadline=stop.deadline)
    async with opening as bus, supervised_handlers(settings, bus, reload=True):
        yield
