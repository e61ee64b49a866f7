"""`yizhan console`: the pages of operators."""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import AsyncIterator, Sequence

import typer

from receiver.cli.app import LOOK, ConfigOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.process import Stop, refusing, run
from receiver.cli.trial import Sender, sender_on
from receiver.composition.bus import Bus
from receiver.composition.console import opened_for_console, running_console
from receiver.console.doors.openid.extra import check_extra
from receiver.console.doors.tokens import hash_token
from receiver.errors import ConfigurationError
from receiver.observability.logs import configure_logs, get_logger
from receiver.settings import Settings
from receiver.web.server import bind
from receiver.worker.configuration import configured_handlers
from receiver.worker.routing import Handler

console = typer.Typer()
app.add_typer(console, name="console", rich_help_panel=LOOK)


@console.callback(
    invoke_without_command=True,
    epilog=examples("yizhan console", "YIZHAN_CONSOLE__PORT=8090 yizhan console"),
)
def serve(context: typer.Context, config: ConfigOption = None) -> None:
    """Serve pages that show how everything stands, and through which operators act.

    They listen apart from the callbacks, on `console.host` and `console.port`; `yizhan up` serves
    them, too.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_to_look(config)
    configure_logs(settings.log)

    async def main(stop: Stop) -> int:
        chosen = settings.console
        listener = bind(chosen.host, chosen.port, section="console")
        handlers = known_handlers(settings)
        async with (
            opened_for_console(settings) as bus,
            running_console(settings, bus, listener, handlers, sender_on(settings)) as url,
        ):
            get_logger("yizhan.console").info("console_served", url=url)
            await stop.wait()
        return 0

    run(main, stays=True)


@contextlib.asynccontextmanager
async def console_beside(
    settings: Settings, bus: Bus, loaded: Sequence[Handler], sender: Sender | None
) -> AsyncIterator[str | None]:
    """The console of a process that does something else, too; gives its URL. Where its port is
    taken, or its extra missing, that is warned of, and there is none: callbacks do not wait for it.
    `loaded` are the handlers that are known here.
    """
    chosen = settings.console
    try:
        check_extra(chosen)
        listener = bind(chosen.host, chosen.port, section="console")
    except ConfigurationError as error:
        get_logger("yizhan.console").warning("console_not_served", error=str(error))
        yield None
        return
    async with running_console(settings, bus, listener, loaded, sender) as url:
        yield url


@console.command(
    "hash-token",
    epilog=examples(
        "yizhan console hash-token",
        "openssl rand -hex 24 | tee token | yizhan console hash-token",
    ),
)
def print_hash() -> None:
    """Print what stands as token_hash in the settings for a user's token.

    The token is asked for without showing it, or is the first line of the standard input.
    """
    with refusing():
        try:
            typer.echo(hash_token(_token()))
        except ValueError as error:
            raise ConfigurationError(str(error)) from None


def _token() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    token = getpass.getpass("Token: ")
    if getpass.getpass("Once more: ") != token:
        raise ConfigurationError("the two differ: type the same token twice")
    return token


def known_handlers(settings: Settings) -> list[Handler]:
    """Those of the settings; one that cannot be loaded here is known once it has a position."""
    try:
        return configured_handlers(settings.handlers)
    except ConfigurationError as error:
        get_logger("yizhan.console").warning("handlers_not_known", error=str(error))
        return []
