"""`yizhan api` and its commands: the rows, one row, a call, a recording."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from receiver.cli.api.call import rows_to_call, rows_to_record
from receiver.cli.api.rows import ROWS, details_of, row_named, summary_of
from receiver.cli.app import BUILD, ConfigOption, app, examples
from receiver.cli.configuration import load
from receiver.cli.process import refusing
from receiver.client.calls.registry import resolve_routes
from receiver.client.endpoint import Route

api = typer.Typer(help="The platform's API: its rows, and calls of them.")
app.add_typer(api, name="api", rich_help_panel=BUILD)
api.add_typer(rows_to_call, name="call")
api.add_typer(rows_to_record, name="record")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@api.callback(
    invoke_without_command=True,
    epilog=examples("yizhan api", "yizhan api show taobao.orders.detail", "yizhan api call --help"),
)
def rows(ctx: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the rows of the platform's API: method, how sure it is, what it changes, its path.

    Needs neither NATS nor a receiver. The paths are those of `api.edition`, v2 without settings.
    """
    if ctx.invoked_subcommand is not None:
        return
    edition, routes = _routes(config)
    listed = [summary_of(name, call, routes) for name, call in ROWS.items()]
    if as_json:
        _print_json(listed)
        return
    typer.echo(f"edition {edition}; yizhan api show ROW describes one")
    for row in listed:
        typer.echo(_line(row))


def _complete(incomplete: str) -> list[str]:
    return [name for name in ROWS if name.startswith(incomplete)]


@api.command(epilog=examples("yizhan api show alibaba.orders.detail"))
def show(
    row: Annotated[str, typer.Argument(help="A row, by its name.", autocompletion=_complete)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one row: its fields, its limits, what its refusals mean, the fields of its reply."""
    with refusing():
        call = row_named(row)
    _, routes = _routes(config)
    details = details_of(row, call, routes)
    if as_json:
        _print_json(details)
        return
    for line in _page(details):
        typer.echo(line)


def _routes(config: Path | None) -> tuple[str, Mapping[str, Route]]:
    """The edition of the settings and its routes; the rows can be read without an account."""
    settings, _ = load(config, quiet=True, keep=False)
    with refusing():
        if settings.api is None:
            return "v2", resolve_routes("v2", {})
        return settings.api.edition, resolve_routes(settings.api.edition, settings.api.paths)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _line(row: dict[str, Any]) -> str:
    changes = "changes" if row["changes_state"] else "reads"
    route = f"{row['method']} {row['path']}" if row["path"] else "not in this edition"
    certainty = row["certainty"] or "-"
    return f"{row['row']:<42} {changes:<8} {certainty:<12} {route:<58} {row['summary']}"


def _page(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['row']}: {row['summary']}"
    yield (
        f"{row['method']} {row['path']} ({row['certainty']})"
        if row["path"]
        else (f"not in this edition; {row['setting']} gives it a path")
    )
    if row["changes_state"]:
        yield "changes state: not to be repeated blindly"
    yield from (f"limit: {limit}" for limit in row["limits"])
    yield "fields:"
    for field in row["fields"]:
        required = "required" if field["required"] else ""
        notes = "; ".join(filter(None, [required, *field["rules"]]))
        yield f"  {field['option']:<26} {field['kind']:<14} {notes}".rstrip()
    if row["refusals"]:
        yield "refusals:"
        yield from (f"  {code:<26} {meaning}" for code, meaning in row["refusals"].items())
    reply = row["reply"]
    yield f"reply: {reply['model']} ({reply['form']}, {reply['certainty']})"
    yield from _tree(reply["fields"], "  ")
    yield f"facts: {row['source']}"


def _tree(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, held in fields.items():
        is_list = isinstance(held, list)
        inner = held[0] if isinstance(held, list) else held
        many = "list of " if is_list else ""
        if isinstance(inner, Mapping):
            yield f"{indent}{name}: {many}objects" if is_list else f"{indent}{name}:"
            yield from _tree(inner, indent + "  ")
        else:
            yield f"{indent}{name}: {many}{inner}"
