"""Where a replay goes, as `--to` says it, and what is known of that without a server."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from receiver.bus.subjects import Subjects
from receiver.cli import completion
from receiver.cli.look.output import sequence
from receiver.cli.options import not_empty
from receiver.errors import ConfigurationError
from receiver.operations.replay_targets import HANDLER_RATE, takers
from receiver.operations.selecting import named
from receiver.replay.sinks.file import FileSink
from receiver.replay.sinks.subject import SubjectSink
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers
from receiver.worker.replaying.record import FILE, HANDLER, REPARSE, SUBJECT
from receiver.worker.routing import Handler

ToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        help="handler:NAME, once or more; subject:PREFIX, such as subject:yizhan.replay.try1; or "
        "file:PATH, JSON lines (- is standard output).",
        metavar="handler:NAME|subject:PREFIX|file:PATH",
        show_default=False,
        autocompletion=completion.targets,
    ),
]
SeqOption = Annotated[
    list[str] | None,
    typer.Option(
        "--seq",
        help="One event, by its place in the stream ('#1200'); once or more.",
        show_default=False,
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        help="Events a second at most; 50 to a handler, else without limit. 0 is no limit.",
        min=0,
        show_default=False,
    ),
]
RampOption = Annotated[
    float,
    typer.Option("--ramp", help="Seconds to come from a tenth of the rate to all of it.", min=0),
]
ReparseOption = Annotated[
    bool,
    typer.Option(
        "--reparse",
        help="In place of --to: read stored callbacks again, compare by fact, store what is new.",
    ),
]
ForceEffectsOption = Annotated[
    bool,
    typer.Option(
        "--force-effects",
        help="Have effects happen again that happened before: once each in this replay.",
    ),
]
_HOW: Final = "write handler:NAME, subject:PREFIX, file:PATH, or - (standard output)"


def targets(to: Sequence[str] | None, *, reparse: bool = False) -> list[str]:
    """Targets as a plan keeps them; raises `ConfigurationError`."""
    if reparse:
        if to:
            raise ConfigurationError(
                "--reparse: stores what is new, and goes nowhere: leave --to out"
            )
        return [REPARSE]
    if not to:
        raise ConfigurationError(f"--to: is missing: {_HOW}")
    found = list(dict.fromkeys(map(_target, to)))
    if len(found) > 1 and not all(one.startswith(HANDLER) for one in found):
        raise ConfigurationError(
            "--to: several handlers are one replay; a subject or a file is one of its own"
        )
    return found


def sequences(texts: Sequence[str] | None) -> list[int]:
    """The numbers of `--seq`; raises `ConfigurationError`."""
    found = []
    for text in texts or ():
        with named("--seq"):
            not_empty("it", text, write="write one such as '#1200'")
            found.append(sequence(text if text.startswith("#") else f"#{text}") or 0)
    return found


def rate_of(rate: float | None, to: Sequence[str]) -> float:
    """The rate that was asked for, else what suits where it goes."""
    if rate is not None:
        return rate
    return HANDLER_RATE if to[0].startswith(HANDLER) else 0.0


def handlers_of(to: Sequence[str], settings: Settings) -> tuple[list[str], list[Handler]]:
    """Targets with the names of handlers as they are, and these; raises `ConfigurationError` for
    one that cannot run.
    """
    if not to[0].startswith(HANDLER):
        return list(to), []
    loaded = configured_handlers(settings.handlers)
    names = [one.removeprefix(HANDLER) for one in to]
    found = takers(names, loaded, has_api=settings.api is not None)
    return [f"{HANDLER}{handler.name}" for handler in found], found


def check_target(to: Sequence[str], root: str, *, force: bool) -> None:
    """Raise `ConfigurationError` for a subject or a file that cannot be."""
    with named("--to"):
        if to[0].startswith(SUBJECT):
            SubjectSink.check_prefix(to[0].removeprefix(SUBJECT), Subjects(root).root)
        elif to[0].startswith(FILE):
            file_sink(to[0], force=force).check()


def check_forced(to: Sequence[str], *, forced: bool) -> None:
    """Raise `ConfigurationError` where effects are forced and nothing has any."""
    if forced and not to[0].startswith(HANDLER):
        raise ConfigurationError("--force-effects: is for handlers: leave it out")


def file_sink(target: str, *, force: bool) -> FileSink:
    """The sink of a target that is a file."""
    return FileSink(Path(target.removeprefix(FILE)), stdout=sys.stdout, force=force)


def _target(to: str) -> str:
    not_empty("--to", to, write=_HOW)
    for prefix, what in ((HANDLER, "NAME"), (SUBJECT, "PREFIX"), (FILE, "PATH")):
        if to == prefix:
            raise ConfigurationError(f"--to {to}: says no {what.lower()}: write {to}{what}")
        if to.startswith(prefix):
            return to
    return f"{FILE}{to}"
