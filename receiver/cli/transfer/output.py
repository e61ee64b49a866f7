"""How `yizhan export` and `yizhan import` speak: progress, and what became of it."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import typer

from receiver.cli.desk import asked
from receiver.cli.look.output import print_document, print_nats, terminal_progress
from receiver.transfer.file import ExportReader
from receiver.transfer.report import Report


class Bar(Protocol):
    """Shows how far it is."""

    def total(self, count: int) -> None:
        """So many there are."""

    def done(self, count: int) -> None:
        """So many are done."""


class _NoBar:
    def total(self, count: int) -> None:
        """Not shown."""

    def done(self, count: int) -> None:
        """Not shown."""


class _TerminalBar:
    def __init__(self, progress: Any, what: str) -> None:
        self._progress = progress
        self._row = progress.add_task(what, total=None)

    def total(self, count: int) -> None:
        self._progress.update(self._row, total=count)

    def done(self, count: int) -> None:
        self._progress.update(self._row, completed=count)


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Bar]:
    """Shown on standard error where that is a terminal, and taken away at the end."""
    if not sys.stderr.isatty():
        yield _NoBar()
        return
    with terminal_progress() as progress:
        yield _TerminalBar(progress, what)


def print_export(
    file: str, counts: Mapping[str, int], nats: Iterable[str], *, as_json: bool
) -> None:
    """What was written; on standard error, where the file is standard output."""
    text = f"{in_words(counts)} written to {file}"
    if file == "-":
        typer.echo(text, err=True)
        print_nats(nats)
        return
    document = {"file": file, "lines": sum(counts.values()), "counts": dict(counts)}
    print_document(document, [text], nats, as_json=as_json)


def in_words(counts: Mapping[str, int]) -> str:
    """How many there are of each kind."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "nothing"


def print_checked(
    file: str,
    reader: ExportReader,
    counts: Mapping[str, int],
    report: Report,
    *,
    as_json: bool,
    err: bool = False,
) -> None:
    """What a file holds, and whether it is whole."""
    manifest = reader.manifest
    if as_json:
        document = {
            "file": file,
            "manifest": manifest.model_dump(mode="json"),
            "counts": dict(counts),
            "damage": reader.damage or None,
            "foreign": report.foreign,
            "problems": report.problems,
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    made = manifest.made_at.isoformat(timespec="seconds")
    typer.echo(f"{file}: of {manifest.root}, made {made}: {in_words(counts)}", err=err)
    _print_problems(reader.damage, report)


def confirmed(*, as_json: bool) -> bool:
    """The answer to the question on the terminal."""
    return asked("Import it?", err=as_json)


def print_import(file: str, damage: str, report: Report, *, dry_run: bool, as_json: bool) -> None:
    """What became of an import; of a dry run, what would."""
    if as_json:
        document = {"file": file, "dry_run": dry_run, **report.document(), "damage": damage or None}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for kind, counted in report.counts.items():
        words = ", ".join(f"{count:,} {_would(word, dry_run)}" for word, count in counted.items())
        typer.echo(f"{kind}: {words}")
    if not report.counts:
        typer.echo("nothing was imported")
    if report.begun:
        typer.echo(f"go on where they were: {', '.join(report.begun)}")
    for name in report.missing:
        typer.echo(
            f"the handler {name} had not done everything, and is not loaded here: "
            f"load it, then `yizhan replay --to handler:{name}`",
            err=True,
        )
    _print_problems(damage, report)


def _would(word: str, dry_run: bool) -> str:
    return f"would be {word}" if dry_run and word == "stored" else word


def _print_problems(damage: str, report: Report) -> None:
    if damage:
        typer.echo(f"the file is damaged: {damage}", err=True)
    for problem in report.problems:
        typer.echo(f"  {problem}", err=True)
    more = report.failed - len(report.problems)
    if more > 0:
        typer.echo(f"  and {more:,} more", err=True)
