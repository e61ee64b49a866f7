"""`yizhan export`: everything that is stored, or a part of it, to a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from receiver.bus.read.filters import WORDS, Filters
from receiver.bus.subjects import Subjects
from receiver.cli import nats_tool
from receiver.cli.acting import ByOption, who
from receiver.cli.app import REPAIR, ConfigOption, JsonOption, app, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.filters import selecting
from receiver.cli.options import not_empty
from receiver.cli.process import if_stopped, refusing, run
from receiver.cli.transfer.output import print_export, progress_bar
from receiver.composition.repair import opened_to_act
from receiver.errors import ConfigurationError
from receiver.operations.audit_trail import AuditTrail, words_of
from receiver.operations.selecting import OF_LETTERS, named
from receiver.transfer.export import Export, Request
from receiver.transfer.file import STANDARD, ExportWriter
from receiver.transfer.kinds import KINDS, Kind, chosen_kinds, sections


@app.command(
    "export",
    rich_help_panel=REPAIR,
    epilog=examples(
        "yizhan export backup.jsonl.zst --all",
        "yizhan export march.jsonl.zst --what events,callbacks --since 2026-03-01",
        "yizhan export - --what events --order 123 | zstd -d",
    ),
)
@selecting(*OF_LETTERS)
def export_(
    filters: Filters,
    file: Annotated[str, typer.Argument(help="The new file; - is standard output.")],
    config: ConfigOption = None,
    what: Annotated[
        str | None,
        typer.Option(help=f"Kinds, with commas between: {', '.join(KINDS)}.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every kind.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is stored to a file of JSON lines, compressed with Zstandard.

    It holds personal data: its owner alone may read it. What is stored meanwhile is left out.
    `yizhan import` brings it back, here or elsewhere.
    """
    with refusing():
        kinds = _kinds(what, filters, everything=everything)
        not_empty("FILE", file, write="name a file, or - (standard output)")
        out = ExportWriter(Path(file), stdout=sys.stdout.buffer, force=force)
        out.check()
        if as_json and file == "-":
            raise ConfigurationError("--json: leave it out, or name a file")
        operator = who(by)
    settings = load_to_look(config)
    with refusing():
        wanted = sections(kinds, filters, Subjects(settings.nats.subject_root))

    async def main(_: asyncio.Event) -> int:
        with if_stopped(_stopped(file)):
            return await write()

    async def write() -> int:
        async with opened_to_act(settings) as bus:
            words = words_of(filters)
            trail = AuditTrail(bus.connection, bus.subjects, operator)
            export = Export(bus.connection, bus.subjects, Request(kinds, filters, words))
            said = {"what": ",".join(kinds), **words}
            async with trail.act("export", target=file, filters=said) as act:
                with out, progress_bar("exporting") as bar:
                    try:
                        await export.write(out, bar.total, bar.done)
                        out.finish()
                    finally:
                        act.numbers |= out.counts
            streams = {section.selection.stream: None for section in wanted}
            print_export(file, out.counts, nats_tool.backups(streams), as_json=as_json)
        return 0

    run(main)


def _stopped(file: str) -> str:
    left = "what was written is cut off" if file == STANDARD else f"{file} was not written"
    return f"the export was interrupted, and {left}: give the command again"


def _kinds(what: str | None, filters: Filters, *, everything: bool) -> tuple[Kind, ...]:
    if everything and (what is not None or filters.given):
        given = "--what" if what is not None else f"--{WORDS[filters.given[0]]}"
        raise ConfigurationError(f"--all: leave it out, or {given}")
    if everything:
        return KINDS
    if what is None:
        raise ConfigurationError(f"says not what: give --all, or --what with {', '.join(KINDS)}")
    with named("--what"):
        return chosen_kinds(what)
