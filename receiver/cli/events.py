"""`yizhan events`: the catalogue, the published contract, and what the platforms send besides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from receiver.bus.subjects import Subjects
from receiver.cli import nats_tool
from receiver.cli.app import BUILD, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load, load_to_look
from receiver.cli.desk import print_json
from receiver.cli.look.output import print_nats, searching
from receiver.cli.process import fail, refusing, run
from receiver.composition.bus import opened_bus
from receiver.contract.asyncapi import asyncapi as asyncapi_document
from receiver.contract.catalogue import catalogue, catalogue_text, json_schemas
from receiver.contract.catalogue import examples as example_messages
from receiver.errors import ConfigurationError
from receiver.ingest.drift import DriftReport, read_drift
from receiver.operations.selecting import past_time
from receiver.settings import Settings


@app.command(
    rich_help_panel=BUILD,
    epilog=examples(
        "yizhan events",
        "yizhan events --drift --since 7d",
        "yizhan events --json-schema schemas --examples samples",
        "yizhan events --asyncapi",
    ),
)
def events(
    config: ConfigOption = None,
    json_schema: Annotated[
        Path | None,
        typer.Option("--json-schema", help="Write the JSON Schema of each type.", metavar="DIR"),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option("--examples", help="Write an example message of each type.", metavar="DIR"),
    ] = None,
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="Print the AsyncAPI 3.0 document.")
    ] = False,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="List fields and types that were received and not known."),
    ] = False,
    since: Annotated[
        str, typer.Option(help="For --drift: how far back (30m, 2h, 7d, or a time).")
    ] = "7d",
    as_json: JsonOption = False,
) -> None:
    """List the event types: subject, from which messages, example. Or write the contract."""
    settings, _ = load(config, quiet=True, keep=False)
    subjects = Subjects(settings.nats.subject_root)
    if json_schema is not None:
        _write("--json-schema", json_schema, json_schemas())
    if examples is not None:
        _write("--examples", examples, example_messages(subjects))
    if asyncapi:
        print_json(asyncapi_document(subjects))
    if drift:
        _drift(load_to_look(config), since, as_json=as_json)
    if json_schema or examples or asyncapi or drift:
        return
    if as_json:
        print_json({"events": [entry.document() for entry in catalogue(subjects)]})
    else:
        typer.echo(catalogue_text(subjects), nl=False)


def _write(option: str, directory: Path, documents: Mapping[str, Mapping[str, Any]]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        fail(
            ConfigurationError(
                f"{option} {directory}: cannot be written: {error.strerror}: name another directory"
            )
        )
    typer.echo(f"{len(documents)} files in {directory}", err=True)


def _drift(settings: Settings, since: str, *, as_json: bool) -> None:
    with refusing():
        start = past_time("--since", since, datetime.now(UTC))

    async def main(_: asyncio.Event) -> int:
        async with opened_bus(settings, name="yizhan-events") as bus:
            with searching("reading the headers of callbacks"):
                report = await read_drift(bus.connection, bus.subjects, since=start)
        commands = [nats_tool.view(bus.subjects.stream, bus.subjects.raw("*"))]
        if as_json:
            print_json({"unknown": _drift_rows(report), "nats": commands})
        else:
            _print_drift(report, since)
            print_nats(commands)
        return 0

    run(main)


def _drift_rows(report: DriftReport) -> list[dict[str, Any]]:
    return [
        {
            "source": thing.source,
            "message_type": thing.message_type or None,
            "field": thing.field,
            "count": seen.count,
            "first_at": seen.first.isoformat(),
            "last_at": seen.last.isoformat(),
        }
        for thing, seen in report.rows()
    ]


def _print_drift(report: DriftReport, since: str) -> None:
    rows = report.rows()
    if not rows:
        typer.echo(f"nothing unknown was received in the last {since}")
        return
    table = Table("source", "message type", "unknown", "count", "first", "last")
    for thing, seen in rows:
        table.add_row(
            thing.source,
            thing.message_type or "(none)",
            thing.field or "(the type)",
            str(seen.count),
            seen.first.isoformat(timespec="seconds"),
            seen.last.isoformat(timespec="seconds"),
        )
    Console(width=None if Console().is_terminal else 160).print(table)
