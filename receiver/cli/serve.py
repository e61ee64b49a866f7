"""`yizhan up`, `receive` and `work`: the processes that stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from receiver.bus.access import without_credentials
from receiver.cli import development
from receiver.cli.app import ConfigOption, app
from receiver.cli.compose import opened_bus, running_receiver, running_server, running_worker
from receiver.cli.preflight import ready
from receiver.cli.process import calm_collector, fail, run
from receiver.cli.reload import reloading
from receiver.cli.simulation import platform_config, with_simulated_api
from receiver.cli.workers import bind_all, running_workers
from receiver.dependencies import declared, untested
from receiver.errors import ConfigurationError
from receiver.exposure import exposed_secrets
from receiver.logs import configure_logs, get_logger
from receiver.settings import Settings
from receiver.simulator.platform import SimulatedPlatform
from receiver.web.server import base_url

_EXAMPLE = {
    "messageType": "ORDER_PAY_SUCCESS",
    "messagePlatform": 1,
    "messageBody": {
        "orderId": "2745812000123456789",
        "orderStatus": "WAITING_FOR_SENT",
        "totalAmount": 1200,
        "payTime": "2026-01-31 08:00:00",
    },
}


def load(config: Path | None, *, quiet: bool = False) -> tuple[Settings, bool]:
    """The settings and whether they are the development defaults; logs are set up with them.

    `quiet` is for commands that speak for themselves: only warnings are logged.
    """
    try:
        settings, developing = development.load(config)
        exposed = "" if quiet else exposed_secrets(config)
    except ConfigurationError as error:
        fail(error)
    level = "warning" if quiet and settings.log.level == "info" else settings.log.level
    configure_logs(settings.log.model_copy(update={"level": level}))
    if exposed:
        get_logger("yizhan").warning("secrets_readable_by_others", action=exposed)
    return settings, developing


def load_to_serve(config: Path | None) -> tuple[Settings, bool]:
    """The same, for a process that stays: a dependency that was not tested is logged."""
    loaded = load(config)
    for doubt in untested(declared()):
        get_logger("yizhan").warning("dependency_not_tested", error=doubt)
    return loaded


@app.command()
def up(
    config: ConfigOption = None,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Let a simulated platform push orders' lives meanwhile."),
    ] = False,
    interval_s: Annotated[
        float, typer.Option("--interval", min=0.01, help="Seconds between simulated orders.")
    ] = 3.0,
) -> None:
    """Run everything in one process tree: NATS, the receiver and the handlers.

    Without a settings file it runs on safe development defaults and says so.
    """
    settings, developing = load_to_serve(config)

    async def main(stop: asyncio.Event) -> int:
        await ready(settings)
        async with contextlib.AsyncExitStack() as stack:
            listeners = bind_all(settings)
            url = base_url(listeners[0], tls=settings.receiver.tls_cert_file is not None)
            platform, running = None, settings
            if simulate:
                pushed = platform_config(
                    settings, url, seed=new_seed(), interval_s=interval_s, step_s=0.4
                )
                platform = await stack.enter_async_context(SimulatedPlatform(pushed))
                running = with_simulated_api(settings, platform)
            bus = await stack.enter_async_context(
                opened_bus(running, name="yizhan-up", share=False)
            )
            await stack.enter_async_context(running_worker(running, bus))
            if len(listeners) > 1:
                await stack.enter_async_context(
                    running_workers(config, settings, bus.url, listeners)
                )
            else:
                receiver = running_receiver(running, bus, listeners[0])
                await stack.enter_async_context(
                    reloading(config, settings, await stack.enter_async_context(receiver), bus)
                )
            _greet(running, url, bus.url, developing=developing)
            calm_collector()
            await _until(stop, platform)
            get_logger("yizhan").info("stopping")
        return 0

    run(main)


def new_seed() -> int:
    """Other orders than in the runs before."""
    return secrets.randbelow(2**32)


@app.command()
def receive(config: ConfigOption = None) -> None:
    """Run the receiver alone: callbacks in, events out."""
    settings, developing = load_to_serve(config)

    async def alone(stop: asyncio.Event) -> None:
        async with (  # it listens only when the bus is open, or known to be away
            opened_bus(settings, name="yizhan-receive", inherit=True) as bus,
            running_receiver(settings, bus, bind_all(settings)[0]) as receiver,
            reloading(config, settings, receiver, bus),
        ):
            _greet(settings, receiver.url, bus.url, developing=developing)
            calm_collector()
            await _stopped(stop)

    async def with_workers(stop: asyncio.Event) -> None:
        listeners = bind_all(settings)
        async with (
            running_server(settings, inherit=True) as nats_url,
            running_workers(config, settings, nats_url, listeners),
        ):
            url = base_url(listeners[0], tls=settings.receiver.tls_cert_file is not None)
            _greet(settings, url, nats_url, developing=developing)
            await _stopped(stop)

    async def main(stop: asyncio.Event) -> int:
        await ready(settings, working=False)
        await (alone if settings.receiver.workers == 1 else with_workers)(stop)
        return 0

    run(main)


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()
    get_logger("yizhan").info("stopping")


@app.command()
def work(config: ConfigOption = None) -> None:
    """Run the handlers alone."""
    settings, _ = load_to_serve(config)

    async def main(stop: asyncio.Event) -> int:
        await ready(settings, receiving=False)
        async with (
            opened_bus(settings, name="yizhan-work", inherit=True) as bus,
            running_worker(settings, bus),
        ):
            get_logger("yizhan").info("working", handlers=list(settings.handlers.load))
            await _stopped(stop)
        return 0

    run(main)


async def _until(stop: asyncio.Event, platform: SimulatedPlatform | None) -> None:
    """Wait until we are told to stop; the platform, where there is one, pushes meanwhile."""
    if platform is None:
        await stop.wait()
        return
    pushing = asyncio.create_task(platform.run(orders=None), name="simulator")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({pushing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (pushing, stopping):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _greet(settings: Settings, url: str, nats_url: str, *, developing: bool) -> None:
    """Say where things are and what to try next; the only place that shows a secret URL, and only
    one of the development defaults."""
    say = typer.echo
    if developing:
        say("No settings file: running on development defaults, with random secrets.")
        say("Write yizhan.toml for your own sources; the README lists every setting.\n")
    for source in settings.sources:
        token = "/<path_token>" if source.checks_path_token else ""
        if developing and source.path_token is not None:
            token = f"/{source.path_token.get_secret_value()}"
        say(f"  callbacks  {url}/callbacks/{source.name}{token}  ({source.verification})")
    shown, root = without_credentials(nats_url), settings.nats.subject_root
    say(f"  NATS       {shown}  (subjects {root}.>{_who_enters(settings, nats_url)})")
    say(f"  health     {url}/healthz  {url}/readyz")
    if developing:
        token_source = next(s for s in settings.sources if s.path_token is not None)
        assert token_source.path_token is not None
        target = f"{url}/callbacks/{token_source.name}/{token_source.path_token.get_secret_value()}"
        say("\nTry, in another terminal:\n")
        say(f"  curl -i {target} \\\n    -H 'content-type: application/json' \\")
        say(f"    -d '{json.dumps(_EXAMPLE)}'\n")
        say("  yizhan replay --since 1h --to -      # the stored events, as JSON lines")
    say("\nCtrl-C stops it.")


def _who_enters(settings: Settings, nats_url: str) -> str:
    """Of an embedded server, who may connect to it and how; the operator of another one knows."""
    if settings.nats.url is not None:
        return ""
    if without_credentials(nats_url) == nats_url:
        return "; open to every process of this machine"
    return "; `yizhan url` prints a subscriber's URL"
