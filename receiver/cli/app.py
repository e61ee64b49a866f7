"""The command line's frame: the options every command shares, and the list of commands.

A process imports the module of the one command it runs; the list of commands is known without.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings file (default: YIZHAN_CONFIG, else yizhan.toml where it exists).",
        show_default=False,
    ),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

RUN, LOOK, REPAIR, BUILD = "Run", "Look", "Repair", "Build"
"""The groups of `--help`."""


def examples(*commands: str) -> str:
    """The end of a help text; what stands in one paragraph would be joined."""
    return "\n\n".join(("Examples:", *commands))


class Entry(NamedTuple):
    """A command: the module of this package that registers it, and what `--help` lists: its group
    and the first sentences of its help. Without those it is hidden.
    """

    module: str
    panel: str = ""
    summary: str = ""


COMMANDS: Final = {
    "up": Entry(
        "up", RUN, "Run everything in one process tree: NATS, the receiver and the handlers."
    ),
    "receive": Entry("serve", RUN, "Run the receiver alone: callbacks in, events out."),
    "work": Entry("serve", RUN, "Run the handlers alone."),
    "check": Entry(
        "check",
        RUN,
        "Check all that a start needs, without starting; exit 0 where all is well, else 1.",
    ),
    "metrics": Entry(
        "metrics",
        RUN,
        "Collect the metrics of all processes, and serve them at /metrics for Prometheus.",
    ),
    "demo": Entry(
        "demo", RUN, "Run everything on a simulated platform for a while, then check the promise."
    ),
    "simulate": Entry(
        "simulate",
        RUN,
        "Play the platform: push orders' lives to a running receiver, by the platform's rules.",
    ),
    "send": Entry(
        "send",
        RUN,
        "Send a test callback: one message to a source for tests, as the platform would.",
    ),
    "order": Entry(
        "look.order",
        LOOK,
        "Show what happened to an order: callbacks, events, runs of handlers, what waits.",
    ),
    "callback": Entry(
        "look.single",
        LOOK,
        "Show a callback: how it came, what it holds, and the events that were made of it.",
    ),
    "event": Entry(
        "look.single",
        LOOK,
        "Show an event: its attributes, its data, the bytes it came in, and who handled it.",
    ),
    "tail": Entry(
        "look.tail",
        LOOK,
        "Show events as they are stored, one line each, until it is stopped or --limit is reached.",
    ),
    "status": Entry(
        "look.status", LOOK, "Say in one sentence whether all is well, then how everything stands."
    ),
    "console": Entry(
        "console",
        LOOK,
        "Serve pages that show how everything stands, and through which operators act.",
    ),
    "state": Entry("state", LOOK, "The states of orders, as handlers see them."),
    "handlers": Entry(
        "handlers",
        REPAIR,
        "List the handlers: from where, on which events, how far, and what waits.",
    ),
    "dead": Entry("repair.dead_snooze", REPAIR, "Dead letters: list, show, retry, drop, snooze."),
    "quarantine": Entry("repair.quarantine_acts", REPAIR, "Callbacks that could not be read."),
    "doubt": Entry(
        "doubt", REPAIR, "List effects of handlers of which it is not known whether they happened."
    ),
    "replay": Entry(
        "replay.report",
        REPAIR,
        "Re-run stored events: plan it, run it, resume it; or with --to, plan and run in one.",
    ),
    "export": Entry(
        "transfer.export",
        REPAIR,
        "Write what is stored to a file of JSON lines, compressed with Zstandard.",
    ),
    "import": Entry(
        "transfer.import_",
        REPAIR,
        "Store what a file of `yizhan export` holds. What is there already is not stored again.",
    ),
    "audit": Entry(
        "audit", LOOK, "List what operators did: who, when, what, and the numbers. Oldest first."
    ),
    "spool": Entry(
        "spool",
        REPAIR,
        "List what waits on our own disk for NATS: how many callbacks, since when, from whom.",
    ),
    "retention": Entry("retention", REPAIR, "How long and how much the streams keep."),
    "purge": Entry(
        "purge",
        REPAIR,
        "Delete for good what filters select, kind by kind; shows a plan first.",
    ),
    "init": Entry(
        "init", BUILD, "Write a commented settings file with one source, for its owner alone."
    ),
    "new": Entry("new", BUILD, "Write files to begin with."),
    "events": Entry(
        "events",
        BUILD,
        "List the event types: subject, from which messages, example. Or write the contract.",
    ),
    "alerts": Entry(
        "alerts",
        BUILD,
        "Write the alerts as rules for Prometheus, each with a link to its section of the runbook.",
    ),
    "dashboard": Entry(
        "alerts",
        BUILD,
        "Write a dashboard for Grafana that shows every metric of `yizhan metrics`.",
    ),
    "api": Entry("api", BUILD, "The platform's API: its rows, and calls of them."),
    "url": Entry(
        "url",
        BUILD,
        "Print the URL by which a subscriber connects to the embedded NATS; it holds the password.",
    ),
    "receive-worker": Entry("supervisor"),
    "handler-process": Entry("handler_process"),
}
"""Each command, in the order of `--help`."""


class CommandsOnDemand(TyperGroup):
    """The commands of `COMMANDS`, each imported where it is called, and not where it is listed."""

    def __init__(self, *, commands: Any = None, **settings: Any) -> None:
        listed: dict[str, Any] = {
            name: TyperCommand(
                name, help=entry.summary, rich_help_panel=entry.panel, hidden=not entry.summary
            )
            for name, entry in COMMANDS.items()
        }
        super().__init__(commands=listed | (commands or {}), **settings)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command of the first of `args`, itself."""
        if args and args[0] in COMMANDS:
            load([args[0]])
            self.commands[args[0]] = get_group(app).commands[args[0]]
        return super().resolve_command(ctx, args)


def load(commands: Iterable[str]) -> None:
    """Import the modules of commands, by which they are registered."""
    for name in commands:
        import_module(f"receiver.cli.{COMMANDS[name].module}")


app = typer.Typer(
    name="yizhan",
    cls=CommandsOnDemand,
    help="A webhook receiver and event bus for a Taobao and 1688 purchasing platform.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # takes a while, and few ask

        typer.echo(f"yizhan {version('yizhan')}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Receive callbacks, store them as typed events on NATS JetStream, run handlers on them."""
