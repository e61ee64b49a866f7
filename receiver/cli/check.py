"""`yizhan check`: whether a start would succeed, and what to change where it would not.

It looks at what a start looks at (`receiver.cli.preflight`), and at NATS as a start would find it,
without making or changing anything there.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from receiver.bus.credentials import without_credentials
from receiver.cli.app import RUN, ConfigOption, JsonOption, app, examples
from receiver.cli.dependencies import declared, untested
from receiver.cli.desk import Desk
from receiver.cli.durability import durability
from receiver.cli.findings import Finding, Findings, Probe
from receiver.cli.listening import local_url
from receiver.cli.liveness import worker_lives
from receiver.cli.machine_probe import receiver_port
from receiver.cli.nats_probe import nats
from receiver.cli.options import YesOption, check_can_ask
from receiver.cli.preflight import check_api, faults
from receiver.cli.process import EXIT_FAILED, refusing, run
from receiver.cli.pruning import prune_handlers
from receiver.composition.tracing import tracing_doubts
from receiver.console.doors.openid.extra import check_extra
from receiver.errors import BusError, ConfigurationError
from receiver.observability.logs import configure_logs
from receiver.settings import LogSettings, Settings, development
from receiver.settings.exposure import exposed_files, exposed_secrets, weak_protection
from receiver.web.connection.open_files import fit_open_files
from receiver.worker.configuration import check_confirming, configured_handlers


@app.command(
    rich_help_panel=RUN,
    epilog=examples("yizhan check", "yizhan check --running", "yizhan check --prune --yes"),
)
def check(
    config: ConfigOption = None,
    running: Annotated[
        bool,
        typer.Option("--running", help="Ask the running receiver instead: a health check."),
    ] = False,
    worker: Annotated[
        bool,
        typer.Option("--worker", help="Look whether the running worker lives: a health check."),
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Where all is well, delete positions of handlers not loaded."),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check all that a start needs, without starting; exit 0 where all is well, else 1."""
    with refusing():
        if prune:
            check_can_ask(yes=yes)
    # Every fault is a finding: in the log it would stand between them a second time.
    configure_logs(LogSettings(level="error"), stream=io.StringIO())

    async def main(_: asyncio.Event) -> int:
        found = Findings(as_json=as_json)
        await _check(found, config, running=running, worker=worker)
        pruned: list[str] | None = None
        if prune and found.well:
            pruned = await prune_handlers(config, Desk(yes, as_json))
        found.end(pruned=pruned)
        return 0 if found.well and (pruned is not None or not prune) else EXIT_FAILED

    run(main)


async def _check(found: Findings, config: Path | None, *, running: bool, worker: bool) -> None:
    with found.fault("settings"):
        settings, developing = development.load(config, keep=False)
        if developing:
            found.add("settings", Finding("development defaults"))
        for name, doubt in _doubts(config, settings):
            found.add(name, Finding(doubt, well=None))
        with found.fault("settings"):
            development.check_sources(settings, config)
        for name, probe in _probes(running=running, worker=worker).items():
            with found.fault(name):
                async for finding in probe(settings):
                    found.add(name, finding)


def _probes(*, running: bool, worker: bool) -> dict[str, Probe]:
    """What to look at; a health check leaves out what others do, which is not ours to heal."""
    if not (running or worker):
        return {
            "settings": _settings,
            "handlers": _handlers,
            "port": receiver_port,
            "nats": nats,
            "disk": _disk,
            "api": _api,
        }
    asked: dict[str, Probe] = {}
    if running:
        asked["receiver"] = _receiver
    if worker:
        asked["worker"] = _worker
    return asked


async def _settings(settings: Settings) -> AsyncIterator[Finding]:
    count = len(settings.sources)
    if count:
        yield Finding(f"{count} source{'' if count == 1 else 's'}")
    for fault in faults(settings):
        yield Finding(fault, well=False)


def _doubts(config: Path | None, settings: Settings) -> Iterator[tuple[str, str]]:
    """What keeps nothing from running and is worth knowing, each with the name of its line."""
    for doubt in untested(declared()):
        yield "packages", doubt
    if exposed := exposed_secrets(config):
        yield "settings", exposed
    for exposed in exposed_files(settings):
        yield "settings", exposed
    for weakness in weak_protection(settings):
        yield "settings", weakness
    for shared in _shared_secrets(settings):
        yield "sources", shared
    try:
        check_extra(settings.console)
    except ConfigurationError as error:
        yield "console", str(error)
    for doubt in tracing_doubts(settings):
        yield "tracing", doubt
    wanted = settings.receiver.limit_connections
    if (room := fit_open_files(wanted)) < wanted:
        what = f"receiver.limit_connections is {wanted}, and open files leave room for {room}"
        yield "files", f"{what}: raise the hard limit (ulimit -Hn), or lower it"


def _shared_secrets(settings: Settings) -> Iterator[str]:
    """A signature proves who signed, not for which source: a seen one is valid for both."""
    for one, other in combinations(settings.sources, 2):
        secrets = {secret.get_secret_value() for secret in one.secrets}
        shared = secrets & {secret.get_secret_value() for secret in other.secrets}
        if shared and (one.dialect, one.access_key) == (other.dialect, other.access_key):
            yield (
                f"{one.name} and {other.name} share a secret, so what was signed for one is taken "
                "by the other too: give each its own secret, "
                'or a path_token (verification = "both")'
            )


async def _handlers(settings: Settings) -> AsyncIterator[Finding]:
    loaded = configured_handlers(settings.handlers)
    check_confirming(loaded, configured=settings.api is not None)
    yield Finding(", ".join(handler.name for handler in loaded if not handler.off) or "none")
    for handler in loaded:
        if handler.off:
            yield Finding(f"{handler.name} is off: {handler.off}")


async def _disk(settings: Settings) -> AsyncIterator[Finding]:
    yield await durability(settings.nats)


async def _api(settings: Settings) -> AsyncIterator[Finding]:
    """Only whether the host answers: no call is made, since none is free of effects and cost."""
    if settings.api is None:
        yield Finding("not configured: handlers that need it do not run")
        return
    await check_api(settings)
    shown = without_credentials(settings.api.base_url)
    try:
        async with httpx2.AsyncClient(timeout=5) as http:
            await http.head(settings.api.base_url)
    except httpx2.HTTPError as error:
        raise BusError(
            f"{shown} does not answer ({type(error).__name__}): check api.base_url and the network"
        ) from error
    yield Finding(f"{shown} answers (edition {settings.api.edition})")


async def _worker(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding(worker_lives(settings.nats.data_dir))


async def _receiver(settings: Settings) -> AsyncIterator[Finding]:
    """The running receiver's own word on whether it can store."""
    url = f"{local_url(settings.receiver)}/readyz"
    try:
        # The certificate names the host that senders know, and no secret is sent.
        async with httpx2.AsyncClient(timeout=5, trust_env=False, verify=False) as http:
            answer = await http.get(url)
    except httpx2.HTTPError as error:
        raise BusError(f"{url} does not answer ({type(error).__name__}): start it") from error
    if answer.status_code != httpx2.codes.OK:
        raise BusError(f"{url} answers {answer.status_code}: look into its log")
    yield Finding(f"{url} answers 200")
