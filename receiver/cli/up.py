"""`yizhan up`: everything in one process tree."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from receiver.cli.app import RUN, ConfigOption, app, examples
from receiver.cli.code_watch import ReloadOption
from receiver.cli.configuration import load_to_receive
from receiver.cli.console import console_beside, known_handlers
from receiver.cli.greeting import Greeting, greeted
from receiver.cli.preflight import ready
from receiver.cli.process import Stop, fail, run, tune_gc
from receiver.cli.reload import reloading
from receiver.cli.serve import warning_of_loss
from receiver.cli.simulation import new_seed, platform_config, with_simulated_api
from receiver.cli.supervised_handlers import supervised_handlers
from receiver.cli.supervisor import bind_all, running_workers
from receiver.cli.trial import sender_on
from receiver.composition.alerting import alerting
from receiver.composition.bus import Bus, opened_bus
from receiver.composition.metrics import collector_on
from receiver.composition.receiver import running_receiver
from receiver.errors import ConfigurationError
from receiver.observability.figures import Figures
from receiver.observability.logs import get_logger
from receiver.resilience.cancellation import cancel_all
from receiver.settings import Settings
from receiver.simulator.platform import SimulatedPlatform
from receiver.web.server import base_url

_STEP_S: Final = 0.4


@app.command(
    rich_help_panel=RUN,
    epilog=examples("yizhan up", "yizhan up --simulate --interval 2", "yizhan up --reload"),
)
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
    reload: ReloadOption = False,
) -> None:
    """Run everything in one process tree: NATS, the receiver and the handlers.

    Without a settings file it runs on safe development defaults and says so.
    """
    if source is not None and not simulate:
        fail(ConfigurationError("--source names where invented orders go: add --simulate"))
    settings, developing = load_to_receive(config, simulate=simulate)
    started = _Up(config, settings, developing=developing, simulate=simulate)

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
                    step_s=_STEP_S,
                    invents=True,  # what the greeting has you push is of orders of your own
                )
                platform = await stack.enter_async_context(SimulatedPlatform(pushed))
                running = with_simulated_api(settings, platform, source=source)
            bus = await stack.enter_async_context(started.bus(running, stop))
            handlers = await stack.enter_async_context(
                supervised_handlers(running, bus, reload=reload)
            )
            await stack.enter_async_context(warning_of_loss(settings))
            await stack.enter_async_context(started.receiving(running, bus, listeners, stop))
            await stack.enter_async_context(started.alerting(bus))
            # `ready` has imported their code; with `reload` it is soon another's.
            known = () if reload else known_handlers(running)
            sender = sender_on(running, url, platform)
            console = console_beside(running, bus, known, sender)
            console_url = await stack.enter_async_context(console)
            pushed_into = pushed.account.source_name if pushed else None
            greeting = started.greeting(running, url, bus.url, console_url, pushed_into)
            await stack.enter_async_context(greeted(greeting))
            tune_gc()
            await _until(stop, platform)
            get_logger("yizhan").info("stopping")
            handlers.begin_stop()
        return 0

    run(main, grace_s=max(settings.receiver.grace_s, settings.handlers.grace_s), stays=True)


@dataclass(frozen=True, slots=True)
class _Up:
    """What the parts of `up` are made of."""

    config: Path | None
    settings: Settings
    developing: bool
    simulate: bool

    def bus(self, running: Settings, stop: Stop) -> contextlib.AbstractAsyncContextManager[Bus]:
        """The bus, with a server of its own where none is named."""
        return opened_bus(
            running, name="yizhan-up", share=False, receiving=True, deadline=stop.deadline
        )

    @contextlib.asynccontextmanager
    async def receiving(
        self, running: Settings, bus: Bus, listeners: Sequence[socket.socket], stop: Stop
    ) -> AsyncIterator[None]:
        """The receiver in this process, or in as many as the settings want."""
        async with contextlib.AsyncExitStack() as stack:
            if len(listeners) > 1:
                workers = running_workers(
                    self.config,
                    self.settings,
                    bus.url,
                    listeners,
                    deadline=stop.deadline,
                    simulate=self.simulate,
                )
                await stack.enter_async_context(workers)
            else:
                receiver = await stack.enter_async_context(
                    running_receiver(running, bus, listeners[0])
                )
                reloads = reloading(
                    self.config, self.settings, receiver, bus, simulate=self.simulate
                )
                await stack.enter_async_context(reloads)
            yield

    def alerting(self, bus: Bus) -> contextlib.AbstractAsyncContextManager[None]:
        """What posts alerts, where the settings name a webhook."""
        collector = collector_on(self.settings, bus)

        async def collected() -> Figures:
            return (await collector.collect()).figures

        return alerting(self.settings, bus, collected)

    def greeting(
        self,
        running: Settings,
        url: str,
        bus_url: str,
        console_url: str | None,
        pushed_into: str | None,
    ) -> Greeting:
        """What is printed at the start."""
        return Greeting(
            running,
            self.config,
            url,
            bus_url,
            development=self.developing or self.simulate,
            console_url=console_url,
            pushed_into=pushed_into,
        )


async def _until(stop: Stop, platform: SimulatedPlatform | None) -> None:
    """Wait for the signal to stop; the platform, where there is one, pushes meanwhile."""
    if platform is None:
        await stop.wait()
        return
    pushing = asyncio.create_task(platform.run(orders=None), name="simulator")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({pushing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await cancel_all({pushing, stopping}, patience_s=stop.deadline.step_s())
    if pushing.done() and not pushing.cancelled():
        pushing.result()
