"""`yizhan api call ROW` and `yizhan api record FILE ROW`: one command for each row.

Exit codes: 0 done, 1 failed, 2 wrong usage (nothing was sent), 3 done in part.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from receiver.cli.api.fields import fields_of, values_of
from receiver.cli.api.preview import preview
from receiver.cli.api.rows import ROWS
from receiver.cli.app import ConfigOption, examples
from receiver.cli.configuration import load
from receiver.cli.desk import asked, print_json
from receiver.cli.options import writable_file
from receiver.cli.process import EXIT_FAILED, StoppedError, refusing, run
from receiver.client.account import section_of
from receiver.client.call import AnyCall, PagedCall
from receiver.client.platform import PlatformAPI
from receiver.client.recording import recording
from receiver.errors import APIError, ConfigurationError, InvalidRequestError
from receiver.settings import APISettings
from schemas.api.reply import ReplyModel

EXIT_IN_PART: Final = 3
_OWN: Final = ("every", "limit", "yes", "dry_run", "as_json", "config")
rows_to_call = typer.Typer(help="Call a row; the reply is printed as JSON.", no_args_is_help=True)
rows_to_record = typer.Typer(no_args_is_help=True)
ALL = typer.Option("--all", help="Every item of all pages, as JSON lines.")
LIMIT = typer.Option("--limit", min=1, help="With --all: so many items at most.", metavar="N")
DRY_RUN = typer.Option("--dry-run", help="Print the request and a curl line; send nothing.")
JSON = typer.Option("--json", help="Replies are JSON anyway; so is then what --dry-run prints.")
YES = typer.Option("--yes", "-y", help="Send it without asking.")


@dataclass(frozen=True, slots=True)
class Wish:
    """A call as the command line asks for it; `given` are the texts of the fields' options."""

    name: str
    given: dict[str, str | None]
    record: Path | None
    config: Path | None
    every: bool = False
    limit: int | None = None
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False

    @property
    def call(self) -> AnyCall:
        """The row."""
        return ROWS[self.name]


@rows_to_record.callback()
def record(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to: a new file, or a recording.")],
) -> None:
    """Call a row and add the exchange to FILE, personal data masked: a fixture for tests.

    A test replays it through `yizhan.testing.ReplayTransport`. Read the file before sharing it.
    """
    ctx.obj = file


def _register(name: str, call: AnyCall) -> None:
    def command(ctx: typer.Context, **options: Any) -> None:
        own = {option: options.pop(option) for option in _OWN if option in options}
        perform(Wish(name, options, record=ctx.obj, **own))

    command.__signature__ = inspect.Signature(parameters_of(call))  # type: ignore[attr-defined] # any function takes one
    command.__doc__ = call.endpoint.summary
    words = " ".join((name, *(f"{one.option} ..." for one in fields_of(call) if one.required)))
    epilog = examples(f"yizhan api call {words} --dry-run")
    rows_to_call.command(name, epilog=epilog)(command)
    rows_to_record.command(name, epilog=examples(f"yizhan api record calls.json {words}"))(command)


def parameters_of(call: AnyCall) -> list[inspect.Parameter]:
    """The options of a row's command: the fields of its request, then what any call has."""
    parameters = [_parameter("ctx", typer.Context)]
    for field in fields_of(call):
        option = typer.Option(field.option, metavar=field.kind, help=field.help)
        if field.required:
            parameters.append(_parameter(field.name, Annotated[str, option]))
        else:
            parameters.append(_parameter(field.name, Annotated[str | None, option], None))
    if isinstance(call, PagedCall):
        parameters.append(_parameter("every", Annotated[bool, ALL], default=False))
        parameters.append(_parameter("limit", Annotated[int | None, LIMIT], None))
    if call.endpoint.changes_state:
        parameters.append(_parameter("yes", Annotated[bool, YES], default=False))
    parameters.append(_parameter("dry_run", Annotated[bool, DRY_RUN], default=False))
    parameters.append(_parameter("as_json", Annotated[bool, JSON], default=False))
    return [*parameters, _parameter("config", ConfigOption, None)]


def _parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, annotation=annotation, default=default)


for _name, _call in ROWS.items():
    _register(_name, _call)


def perform(wish: Wish) -> None:
    """Do what was asked for, and end the process with its exit code."""
    settings, _ = load(wish.config, quiet=True, keep=False)
    with refusing():
        account = section_of(settings.api)
        if wish.limit is not None and not wish.every:
            raise ConfigurationError("--limit: is for --all: add it, or leave --limit out")
        writable_file("FILE", wish.record)
        values = values_of(wish.call, wish.given)
        call = _caller(wish, values)
        if wish.dry_run or (wish.call.endpoint.changes_state and not wish.yes):
            _look(wish, account, call)
    if wish.dry_run:
        return

    async def main(_: asyncio.Event) -> int:
        async with PlatformAPI.open(account) as api:
            with _recorded(api, wish.record):
                return await _called(wish, call(api))

    run(main)


def _caller(wish: Wish, values: dict[str, Any]) -> Callable[[PlatformAPI], Any]:
    return lambda api: attrgetter(wish.name)(api)(**values)


def _look(wish: Wish, account: APISettings, call: Callable[[PlatformAPI], Any]) -> None:
    """Show what would be sent: to read, or to agree to. Raises `ConfigurationError`."""
    try:
        shown = asyncio.run(preview(account, call))
    except InvalidRequestError as error:
        raise ConfigurationError(str(error)) from None
    if wish.dry_run:
        files = {f.name: wish.given[f.name] for f in fields_of(wish.call) if f.is_file}
        paths = {to_camel(name): path for name, path in files.items() if path}
        if wish.as_json:
            print_json({"row": wish.name, **shown.document(), "curl": shown.curl(paths)})
            return
        typer.echo(f"{shown.request_text()}\n\n{shown.curl(paths)}")
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{wish.name}: changes state: add --yes to send it without asking")
    typer.echo(shown.request_text(), err=True)
    if not asked(f"{wish.name} changes state. Send it?", err=True):
        typer.echo("yizhan: nothing was sent", err=True)
        sys.exit(EXIT_FAILED)


def _recorded(api: PlatformAPI, file: Path | None) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext() if file is None else recording(api, file)


async def _called(wish: Wish, asked: Any) -> int:
    try:
        if wish.every:
            async for item in asked.all(wish.limit):
                typer.echo(_json(item))
            return 0
        reply = await asked
    except InvalidRequestError as error:
        raise ConfigurationError(str(error)) from None
    except APIError as error:
        _tell(error)
        return EXIT_FAILED
    except asyncio.CancelledError as error:
        if wish.call.endpoint.changes_state:
            raise StoppedError(f"{wish.name}: stopped: it may have been carried out") from error
        raise
    typer.echo(_json(reply, indent=2))
    refused = reply.refused() if isinstance(reply, ReplyModel) else ()
    if refused:
        typer.echo(f"yizhan: {wish.name}: done in part, {len(refused)} refused", err=True)
    return EXIT_IN_PART if refused else 0


def _json(reply: BaseModel | list[BaseModel], *, indent: int | None = None) -> str:
    """By the names that scripts use, without what is absent."""
    return to_json(reply, indent=indent, by_alias=False, exclude_none=True).decode()


def _tell(error: APIError) -> None:
    """The sentence, and what a support or a script asks for."""
    facts = {
        "code": error.code,
        "meaning": error.meaning,
        "outer code": error.outer_code,
        "HTTP status": error.status,
        "request id": error.request_id,
        "seconds to wait": error.retry_after_s,
    }
    known = ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact is not None)
    for line in filter(None, [str(error), known]):
        typer.echo(f"yizhan: {line}", err=True)
