"""`yizhan check`: whether a start would succeed, and what to change where it would not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final

import httpx2
import typer

from receiver.bus.connection import Connection
from receiver.bus.subjects import Subjects
from receiver.cli import development
from receiver.cli.app import ConfigOption, app
from receiver.cli.compose import certificate
from receiver.cli.process import EXIT_FAILED, run
from receiver.errors import BusError, ConfigurationError, YizhanError
from receiver.loading import load_handlers
from receiver.logs import configure_logs
from receiver.settings import LogSettings, Settings

_HEADERS_BYTES: Final = 64 * 1024
"""What a message's headers may add to its body."""

Probe = Callable[[Settings], Awaitable[str]]


@app.command()
def check(
    config: ConfigOption = None,
    running: Annotated[
        bool,
        typer.Option("--running", help="Ask the running receiver instead: a health check."),
    ] = False,
) -> None:
    """Check settings, handlers, NATS and the platform's API; exit 0 where all is well, else 1."""
    configure_logs(LogSettings(level="error"))

    async def main(_: asyncio.Event) -> int:
        return await _check(config, running=running)

    run(main)


async def _check(config: Path | None, *, running: bool) -> int:
    try:
        settings, developing = development.load(config)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            _report("settings", line, well=False)
        return EXIT_FAILED
    try:
        certificate(settings)
    except ConfigurationError as error:
        _report("settings", str(error), well=False)
        return EXIT_FAILED
    count = len(settings.sources)
    defaults = ", development defaults" if developing else ""
    _report("settings", f"{count} source{'' if count == 1 else 's'}{defaults}", well=True)
    well = True
    probes: dict[str, Probe] = {"handlers": _handlers, "nats": _nats, "api": _api}
    if running:  # a health check: what others do, such as the platform's API, is not ours to heal
        probes = {"receiver": _receiver}
    for name, probe in probes.items():
        try:
            _report(name, await probe(settings), well=True)
        except YizhanError as error:
            _report(name, str(error), well=False)
            well = False
    return 0 if well else EXIT_FAILED


def _report(name: str, text: str, *, well: bool) -> None:
    typer.echo(f"{'ok  ' if well else 'FAIL'}  {name:<9} {text}")


async def _handlers(settings: Settings) -> str:
    names = [handler.name for handler in load_handlers(settings.handlers.load)]
    return ", ".join(names) or "none"


async def _nats(settings: Settings) -> str:
    """The server of the settings, or the embedded one where it runs already."""
    url = settings.nats.url or f"nats://127.0.0.1:{settings.nats.port}"
    connection = Connection(url, (), name="yizhan-check")
    try:
        if not await connection.start(patience_s=2.0):
            if settings.nats.url is None:
                return f"embedded, not running now (data in {settings.nats.data_dir})"
            raise BusError(f"{url.rpartition('@')[2]} does not answer: start it or mend nats.url")
        needed = settings.receiver.limit_bytes + _HEADERS_BYTES
        if connection.client.max_payload < needed:
            raise BusError(
                f"the server's max_payload is {connection.client.max_payload}, and a callback of "
                f"receiver.limit_bytes needs {needed}: raise max_payload (8MB is good), "
                "or lower receiver.limit_bytes"
            )
        stream = Subjects(settings.nats.subject_root).stream
        server = connection.client.connected_server_version
        version = f"{server.major}.{server.minor}.{server.patch}"
        return f"{url.rpartition('@')[2]}, server {version}, stream {stream}"
    finally:
        await connection.stop()


async def _api(settings: Settings) -> str:
    """Only whether the host answers: no call is made, since none is free of effects and cost."""
    if settings.api is None:
        return "not configured: handlers that need it do not run"
    try:
        async with httpx2.AsyncClient(timeout=5) as http:
            await http.head(settings.api.base_url)
    except httpx2.HTTPError as error:
        raise BusError(
            f"{settings.api.base_url} does not answer ({type(error).__name__}): "
            "check api.base_url and the network"
        ) from error
    return f"{settings.api.base_url} answers (edition {settings.api.edition})"


async def _receiver(settings: Settings) -> str:
    """The running receiver's own word on whether it can store."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.receiver.host)  # noqa: S104
    scheme = "http" if settings.receiver.tls_cert_file is None else "https"
    url = f"{scheme}://{host or settings.receiver.host}:{settings.receiver.port}/readyz"
    try:
        # The certificate names the host that senders know, and nothing secret is said.
        async with httpx2.AsyncClient(timeout=5, trust_env=False, verify=False) as http:
            answer = await http.get(url)
    except httpx2.HTTPError as error:
        raise BusError(f"{url} does not answer ({type(error).__name__}): start it") from error
    if answer.status_code != httpx2.codes.OK:
        raise BusError(f"{url} answers {answer.status_code}: look into its log")
    return f"{url} answers 200"
