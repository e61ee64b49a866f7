"""`yizhan check`: whether a start would succeed, and what to change where it would not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final

import httpx2
import typer

from receiver.bus.access import without_credentials
from receiver.bus.connection import Connection
from receiver.bus.server_urls import announced
from receiver.bus.subjects import Subjects
from receiver.cli import development
from receiver.cli.app import ConfigOption, app
from receiver.cli.compose import access, certificate
from receiver.cli.process import EXIT_FAILED, run
from receiver.dependencies import declared, untested
from receiver.errors import BusError, ConfigurationError, YizhanError
from receiver.exposure import exposed_secrets
from receiver.loading import load_handlers
from receiver.logs import configure_logs
from receiver.settings import LogSettings, Settings
from receiver.web.files import room_for

_HEADERS_BYTES: Final = 64 * 1024
"""What a message's headers may add to its body."""

Probe = Callable[[Settings], Awaitable[str]]


class _DoubtError(YizhanError):
    """Nothing keeps it from running, but the operator should know."""


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
    well = _named_sources(settings, config, developing=developing)
    for name, doubt in _doubts(config, settings):
        _report(name, doubt, well=None)
    probes: dict[str, Probe] = {"handlers": _handlers, "nats": _nats, "disk": _disk, "api": _api}
    if running:  # a health check: what others do, such as the platform's API, is not ours to heal
        probes = {"receiver": _receiver}
    for name, probe in probes.items():
        try:
            _report(name, await probe(settings), well=True)
        except _DoubtError as doubt:
            _report(name, str(doubt), well=None)
        except YizhanError as error:
            _report(name, str(error), well=False)
            well = False
    return 0 if well else EXIT_FAILED


def _named_sources(settings: Settings, config: Path | None, *, developing: bool) -> bool:
    """Say how many there are; False where there are none."""
    try:
        development.check_sources(settings, config)
    except ConfigurationError as error:
        _report("settings", str(error), well=False)
        return False
    count = len(settings.sources)
    defaults = ", development defaults" if developing else ""
    _report("settings", f"{count} source{'' if count == 1 else 's'}{defaults}", well=True)
    return True


def _report(name: str, text: str, *, well: bool | None) -> None:
    word = "warn" if well is None else "ok" if well else "FAIL"
    typer.echo(f"{word:<4}  {name:<9} {text}")


def _doubts(config: Path | None, settings: Settings) -> Iterator[tuple[str, str]]:
    """What keeps nothing from running and is worth knowing, each with the name of its line."""
    for doubt in untested(declared()):
        yield "packages", doubt
    if exposed := exposed_secrets(config):
        yield "settings", exposed
    for shared in _shared_secrets(settings):
        yield "sources", shared
    wanted = settings.receiver.limit_connections
    if (room := room_for(wanted)) < wanted:
        what = f"receiver.limit_connections is {wanted}, and open files leave room for {room}"
        yield "files", f"{what}: raise the hard limit (ulimit -Hn), or lower it"


def _shared_secrets(settings: Settings) -> Iterator[str]:
    """A signature tells who signed, not for which source: one that is seen is good for both."""
    for one, other in combinations(settings.sources, 2):
        secrets = {secret.get_secret_value() for secret in one.secrets}
        shared = secrets & {secret.get_secret_value() for secret in other.secrets}
        if shared and (one.dialect, one.access_key) == (other.dialect, other.access_key):
            yield (
                f"{one.name} and {other.name} share a secret, so what was signed for one is taken "
                "by the other too: give each its own secret, "
                'or a path_token (verification = "both")'
            )


async def _handlers(settings: Settings) -> str:
    names = [handler.name for handler in load_handlers(settings.handlers.load)]
    return ", ".join(names) or "none"


async def _nats(settings: Settings) -> str:
    """The server of the settings, or the embedded one where it runs already."""
    not_running = f"embedded, not running now (data in {settings.nats.data_dir})"
    if (url := settings.nats.url or _embedded_url(settings.nats.data_dir)) is None:
        return not_running
    connection = Connection(url, (), name="yizhan-check", access=access(settings))
    try:
        if not await connection.start(patience_s=2.0):
            shown = without_credentials(url)
            if settings.nats.url is None and not connection.refused:
                return not_running
            if connection.refused:
                raise BusError(f"{shown} refuses us: {_how_to_get_in(settings)}")
            raise BusError(f"{shown} does not answer: start it or mend nats.url")
        needed = settings.receiver.limit_bytes + _HEADERS_BYTES
        if connection.client.max_payload < needed:
            raise BusError(
                f"the server's max_payload is {connection.client.max_payload}, and a callback of "
                f"receiver.limit_bytes needs {needed}: raise max_payload (8MB is good), "
                "or lower receiver.limit_bytes"
            )
        if settings.nats.replicas > 1 and not connection.client.is_clustered:
            raise BusError(
                f"nats.replicas: {settings.nats.replicas} need a cluster, and this server is "
                "alone: set nats.replicas to 1, or nats.url to the servers of a cluster"
            )
        stream = Subjects(settings.nats.subject_root).stream
        server = connection.client.connected_server_version
        version = f"{server.major}.{server.minor}.{server.patch}"
        replicas = f", {settings.nats.replicas} replicas" if settings.nats.replicas > 1 else ""
        return f"{without_credentials(url)}, server {version}, stream {stream}{replicas}"
    finally:
        await connection.stop()


def _how_to_get_in(settings: Settings) -> str:
    if settings.nats.url is None:
        return f"stop every run on {settings.nats.data_dir}, then start again"
    return (
        "put user and password into nats.url, or set nats.credentials_file or nats.nkey_seed_file"
    )


def _embedded_url(data_dir: Path) -> str | None:
    """With the password of our own user, as the run that has the server left it there."""
    try:
        urls = announced(data_dir)
    except OSError as error:
        raise BusError(f"nats.data_dir: {data_dir}: cannot be read: {error.strerror}") from error
    return None if urls is None else urls.operator


async def _disk(settings: Settings) -> str:
    """Whether what is acknowledged survives a loss of power: synced first, or held by three."""
    nats = settings.nats
    if nats.url is None:
        return "the embedded server syncs before it acknowledges"
    lazily: bool | None = None
    if nats.monitor_url is not None:
        lazily = await _syncs_lazily(nats.monitor_url)
        if not lazily:
            return "the server syncs before it acknowledges"
    if nats.replicas >= 3:
        return f"{nats.replicas} replicas: acknowledged by most of them; a server may sync later"
    what = "acknowledges before it syncs" if lazily else "may acknowledge before it syncs"
    tell = "" if lazily else ", and nats.monitor_url for this check to see it (http://host:8222)"
    raise _DoubtError(
        f"the server {what}, so a loss of power would lose what was answered 200: set "
        f"`sync_interval: always` in the server's jetstream block, or nats.replicas = 3{tell}"
    )


async def _syncs_lazily(monitor_url: str) -> bool:
    url = f"{monitor_url.rstrip('/')}/varz"
    try:
        async with httpx2.AsyncClient(timeout=5, trust_env=False) as http:
            config = (await http.get(url)).json()["jetstream"]["config"]
            return not config.get("sync_always", False)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise BusError(
            f"{without_credentials(url)} does not tell of JetStream ({type(error).__name__}): "
            "mend nats.monitor_url, or leave it out"
        ) from error


async def _api(settings: Settings) -> str:
    """Only whether the host answers: no call is made, since none is free of effects and cost."""
    if settings.api is None:
        return "not configured: handlers that need it do not run"
    shown = without_credentials(settings.api.base_url)
    try:
        async with httpx2.AsyncClient(timeout=5) as http:
            await http.head(settings.api.base_url)
    except httpx2.HTTPError as error:
        raise BusError(
            f"{shown} does not answer ({type(error).__name__}): check api.base_url and the network"
        ) from error
    return f"{shown} answers (edition {settings.api.edition})"


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
