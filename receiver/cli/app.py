"""The command line's frame: the options every command shares, and the list of commands."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

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


app = typer.Typer(
    name="yizhan",
    help="A webhook receiver and event bus for a Taobao and 1688 purchasing platform.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
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
