"""`yizhan replay report`: what a replay did."""

from __future__ import annotations

import asyncio

import typer

from receiver.cli import nats_tool
from receiver.cli.app import ConfigOption, JsonOption, examples
from receiver.cli.configuration import load_to_look
from receiver.cli.look.output import print_document, searching
from receiver.cli.process import refusing, run
from receiver.cli.replay import acts  # noqa: F401 - it registers its commands
from receiver.cli.replay.group import replay
from receiver.cli.replay.plan import NameArgument
from receiver.cli.replay.report_text import report_lines
from receiver.cli.replay.text import go_on, plan_lines
from receiver.composition.replays import opened_replays
from receiver.operations.replay_acts import replay_document
from receiver.operations.replaying import state_of
from receiver.replay.report import report_of
from receiver.worker.replaying.record import check_name


@replay.command(epilog=examples("yizhan replay report fix1", "yizhan replay report fix1 --json"))
def report(
    context: typer.Context,
    name: NameArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say of a replay what was replayed, succeeded, failed and why, and which effects happened.

    By the records of its runs, which are kept for 14 days; also while it runs.
    """
    with refusing():
        check_name(name)
    settings = load_to_look(config or context.obj)

    async def main(_: asyncio.Event) -> int:
        async with opened_replays(settings) as desk:
            record = await desk.runs.of(name)
            state = await state_of(desk.runs, record)
            with searching("reading records of runs") as progress:
                reports = await report_of(record, desk.replays, progress.scanned)
        handlers = [one.document() for one in reports]
        found = {**replay_document(record), "state": state, "handlers": handlers}
        lines = [
            *plan_lines(record),
            f"  state     {state}{go_on(record, state)}",
            *report_lines(reports),
        ]
        commands = [nats_tool.entry(desk.bus.subjects, record.key)]
        print_document(found, lines, commands, as_json=as_json)
        return 0

    run(main)
