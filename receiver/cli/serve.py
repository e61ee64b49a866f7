"""`yizhan up`, `receive` and `work`: the processes that stay."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Annotated

import typer

from receiver.cli.app import ConfigOption, app
from receiver.cli.configuration import load_to_receive, load_to_serve
from receiver.cli.durability import warn_of_loss
from receiver.cli.greeting import Greeting, greeted
from receiver.cli.handler_process import running_handlers
from receiver.cli.liveness import beating
from receiver.cli.permissions import rights_to_handle
from receiver.cli.preflight import ready
from receiver.cli.process import Stop, fail, run, tune_gc
from receiver.cli.reload import reloading
from receiver.cli.simulation import new_seed, platform_config, with_simulated_api
from receiver.cli.supervisor import bind_all, running_workers
from receiver.composition.bus import opened_bus, running_server
from receiver.composition.receiver import running_receiver
from receiver.composition.worker import running_worker
from receiver.errors import ConfigurationError
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.resilience.cancellation import cancel_all
from receiver.settings import Settings
from receiver.simulator.platform import SimulatedPlatform
from receiver.web.server import base_url


@app.command()
def up(
    config: ConfigOption = None,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Add sources for trial, into which a simulated platform pushes invented orders.",
        ),
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(help="With --simulate: push into this source instead.", show_default=False),
    ] = None,
    interval_s: Annotated[
        float, typer.Option("--interval", min=0.01, help="Seconds between simulated orders.")
    ] = 3.0,
) -> None:
    """Run everything in one process tree: NATS, the receiver and the handlers.

    Without a settings file it runs on safe development defaults and says so.
    """
    if source is not None and not simulate:
        fail(ConfigurationError("--source names where invented orders go: add --simulate"))
    settings, developing = load_to_receive(config, simulate=simulate)

    async def main(stop: Stop) -> int:
        await ready(settings)
        async with contextlib.AsyncExitStack() as stack:
            listeners = bind_all(settings)
            url = base_url(listeners[0], tls=settings.receiver.tls_cert_file is not None)
            platform, pushed, running = None, None, settings
            if simulate:
                pushed = platform_config(
                    settings,
                    url,
                    source=source,
                    seed=new_seed(),
                    interval_s=interval_s,
                    step_s=0.4,
                )
                platform = await stack.enter_async_context(SimulatedPlatform(pushed))
                running = with_simulated_api(settings, platform, source=source)
            bus = await stack.enter_async_context(
                opened_bus(
                    running,
                    name="yizhan-up",
                    share=False,
                    receiving=True,
                    deadline=stop.deadline,
                )
            )
            handlers = await stack.enter_async_context(running_handlers(running, bus))
            await stack.enter_async_context(_warning(settings))
            if len(listeners) > 1:
                await stack.enter_async_context(
                    running_workers(
                        config,
                        settings,
                        bus.url,
                        listeners,
                        deadline=stop.deadline,
                        simulate=simulate,
                    )
                )
            else:
                receiver = running_receiver(running, bus, listeners[0])
                await stack.enter_async_context(
                    reloading(
                        config,
                        settings,
                        await stack.enter_async_context(receiver),
                        bus,
                        simulate=simulate,
                    )
                )
            greeting = Greeting(
                running,
                config,
                url,
                bus.url,
                development=developing or simulate,
                pushed_into=pushed.account.source_name if pushed else None,
            )
            await stack.enter_async_context(greeted(greeting))
            tune_gc()
            await _until(stop, platform)
            get_logger("yizhan").info("stopping")
            handlers.begin_stop()
        return 0

    run(main, grace_s=max(settings.receiver.grace_s, settings.handlers.grace_s), stays=True)


@app.command()
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
            _warning(settings),
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
            _warning(settings),
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


def _warning(settings: Settings) -> contextlib.AbstractAsyncContextManager[None]:
    """Beside the rest, since a monitoring that does not answer must not delay a callback."""
    return supervision.running(partial(warn_of_loss, settings), name="durability")


def _log_no_handlers() -> None:
    get_logger("yizhan").info(
        "handlers_not_run", reason="`yizhan work` runs handlers, `receive` does not"
    )


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()
    get_logger("yizhan").info("stopping")


@app.command()
def work(config: ConfigOption = None) -> None:
    """Run the handlers alone."""
    settings, _ = load_to_serve(config)

    async def main(stop: Stop) -> int:
        await ready(settings, receiving=False)
        rights = rights_to_handle(settings)
        async with (
            opened_bus(
                settings,
                name="yizhan-work",
                inherit=True,
                rights=rights,
                deadline=stop.deadline,
            ) as bus,
            running_worker(settings, bus) as worker,
            beating(worker, settings.nats.data_dir),
        ):
            log = get_logger("yizhan")
            log.info("receiver_not_run", reason="`yizhan receive` takes callbacks, `work` does not")
            log.info("working", handlers=list(settings.handlers.load))
            await _stopped(stop)
        return 0

    run(main, grace_s=settings.handlers.grace_s, stays=True)


async def _until(stop: Stop, platform: SimulatedPlatform | None) -> None:
    """Wait until we are told to stop; the platform, where there is one, pushes meanwhile."""
    if platform is None:
        await stop.wait()
        return
    pushing = asyncio.create_task(platform.run(orders=None), name="simulator")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({pushing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await cancel_all({pushing, stopping}, patience_s=stop.deadline.step_s())
    if pushing.done() and not pushing.cancelled():
        pushing.result()
