"""`yizhan url`: what a client of the embedded NATS connects with."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from receiver.cli.app import BUILD, ConfigOption, JsonOption, app, examples
from receiver.cli.desk import Desk
from receiver.cli.options import existing_data
from receiver.cli.process import run
from receiver.embedded.server_urls import ServerUrls, announced
from receiver.errors import BusError, ConfigurationError
from receiver.settings import NatsSettings, load_settings

_CONNECT_S: Final = 2.0


@app.command(
    rich_help_panel=BUILD,
    epilog=examples("yizhan url", 'nats --server "$(yizhan url --operator)" stream report'),
)
def url(
    config: ConfigOption = None,
    operator: Annotated[
        bool,
        typer.Option(
            "--operator", help="The URL of Yizhan's own processes, which may do everything."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the URL by which a subscriber connects to the embedded NATS; it holds the password.

    For example: NATS_URL=$(yizhan url) python examples/subscriber.py

    Exits 1 where the server does not run, 2 where nats.url is set or there is no data directory.
    """

    async def main(_: asyncio.Event) -> int:
        nats = load_settings(config).nats
        urls = _urls(nats)
        if urls is None or not await _listens(urls.operator):
            raise BusError(
                f"no server runs on {nats.data_dir}: start one with `yizhan up` or `yizhan receive`"
            )
        found = urls.operator if operator else urls.subscriber
        Desk(True, as_json).done(found, url=found)
        return 0

    run(main)


def _urls(nats: NatsSettings) -> ServerUrls | None:
    if nats.url is not None:
        raise ConfigurationError(
            "nats.url names a server, whose users its own operator knows: "
            "this command is for the embedded server, which runs without nats.url"
        )
    existing_data(nats)
    return _announced(nats.data_dir)


def _announced(data_dir: Path) -> ServerUrls | None:
    try:
        return announced(data_dir)
    except OSError as error:
        raise ConfigurationError(
            f"nats.data_dir: {data_dir} cannot be read: {error.strerror}: "
            "run this as the user that Yizhan runs as"
        ) from error


async def _listens(server: str) -> bool:
    """Whether somebody listens there: a run that was killed could not take its URLs away."""
    parts = urlsplit(server)
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
