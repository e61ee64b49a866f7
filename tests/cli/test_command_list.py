"""The list of commands, which is shown without importing them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from receiver.cli.app import COMMANDS, app, load

LOADED: Any = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"


WITHOUT = {
    "dashboard": "prints a dashboard of Grafana, which is JSON",
    "console": "runs until it is stopped; its log is JSON by log.format",
    "console hash-token": "prints one line for the settings",
    "up": "runs until it is stopped; its log is JSON by log.format",
    "receive": "runs until it is stopped; its log is JSON by log.format",
    "work": "runs until it is stopped; its log is JSON by log.format",
    "receive-worker": "is a part of receive, started by it",
    "handler-process": "is a part of work, started by it",
}
"""The commands without `--json`, and why."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by the words that call it."""
    parts = getattr(command, "commands", {})
    if path and (not parts or command.invoke_without_command):
        yield " ".join(path), command
    for name, part in parts.items():
        yield from commands(part, (*path, name))


def modules_of(*arguments: str) -> set[str]:
    """What a process has imported at its end that runs a command; NATS is away."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{LOADED}; from receiver.cli import main; main()", *arguments],
        env=os.environ | {"YIZHAN_NATS__URL": "nats://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    return set(ran.stderr.split())


def test_each_command_is_listed_as_its_own_help_begins() -> None:
    load(COMMANDS)
    for name, command in typer.main.get_group(app).commands.items():
        entry, summary = COMMANDS[name], (command.help or "").split("\n\n")[0].replace("\n", " ")
        listed = "" if command.hidden else summary
        assert (name, entry.summary) == (name, listed)
        assert command.hidden or command.rich_help_panel == entry.panel  # type: ignore[attr-defined]


def test_every_command_but_servers_prints_json_where_asked() -> None:
    load(COMMANDS)
    without = {
        name
        for name, command in commands(typer.main.get_group(app))
        if not any("--json" in option.opts for option in command.params)
    }
    assert without == set(WITHOUT)


def test_every_command_shows_how_it_is_called() -> None:
    load(COMMANDS)
    every = commands(typer.main.get_group(app))
    shown = {name: command.epilog or "" for name, command in every if not command.hidden}
    assert [name for name, text in shown.items() if f"yizhan {name.split()[0]}" not in text] == []


@pytest.mark.parametrize("words", [("order", "1"), ("status",), ("dead", "list")])
def test_a_command_that_looks_imports_no_server(words: tuple[str, ...]) -> None:
    imported = modules_of(*words)
    assert "receiver.bus.connection" in imported
    assert not imported & {"packaging", "starlette", "uvicorn", "receiver.web"}


def test_the_list_of_commands_imports_no_command() -> None:
    imported = modules_of("--help")
    assert {name for name in imported if name.startswith("receiver.")} == {
        "receiver.cli",
        "receiver.cli.app",
    }
