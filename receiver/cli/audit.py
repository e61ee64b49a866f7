"""`yizhan audit`: what operators did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from receiver.bus.read.filters import Filters
from receiver.cli import nats_tool
from receiver.cli.app import LOOK, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.look.output import print_document, searching
from receiver.cli.options import not_empty
from receiver.cli.process import refusing, run
from receiver.composition.bus import opened_bus
from receiver.operations.audit_reading import acts


@app.command(
    rich_help_panel=LOOK,
    epilog=examples("yizhan audit --since 7d", "yizhan audit --verb dead-retry --by ann --json"),
)
@selecting("since", "until", "handler", "limit", limit=100)
def audit(
    filters: Filters,
    config: ConfigOption = None,
    verb: Annotated[
        str | None,
        typer.Option(help="A kind of act, such as handlers-pause.", show_default=False),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who, or a part of it.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what operators did: who, when, what, and the numbers. Oldest first."""
    with refusing():
        not_empty("--verb", verb, write="write one such as handlers-pause, or leave it out")
        not_empty("--by", by, write="write a name, or leave it out")
    settings = load_to_look(config)

    async def main(_: asyncio.Event) -> int:
        async with opened_bus(settings, name="yizhan-audit") as bus:
            with searching("reading the acts"):
                found = await acts(bus.connection, bus.subjects, filters, verb=verb, by=by)
        reports = [act.report() for act in found]
        lines = map(act_text, reports) if reports else ["no act is recorded"]
        subjects = bus.subjects
        command = nats_tool.view(subjects.audit_stream, subjects.audit(verb) if verb else "")
        print_document({"acts": reports}, lines, [command], as_json=as_json)
        return 0

    run(main)


def act_text(report: dict[str, Any]) -> str:
    """One line: when, what, who, how it ended."""
    return "  ".join((report["begun_at"], report["verb"], *_parts(report)))


def _parts(report: dict[str, Any]) -> Iterator[str]:
    if report["target"]:
        yield report["target"]
    if filters := report["filters"]:
        yield " ".join(f"--{name} {value}" for name, value in filters.items())
    if numbers := report["numbers"]:
        yield ", ".join(f"{count} {what}" for what, count in numbers.items())
    if report["reason"]:
        yield f'"{report["reason"]}"'
    error = f": {report['error']}" if report["error"] else ""
    yield f"by {report['by']}: {report['outcome'] or 'no end is recorded'}{error}"
