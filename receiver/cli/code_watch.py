"""`--reload`, while developing: run the handlers anew when their code changes.

Looked at are the Python files below the working directory, and those beside a handler's module that
lies elsewhere; installed packages, virtual environments and hidden directories are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from receiver.cli.handler_processes import HandlerProcesses
from receiver.observability.logs import get_logger
from receiver.resilience import supervision
from receiver.settings import Settings
from receiver.worker.configuration import configured_handlers

ReloadOption = Annotated[
    bool,
    typer.Option("--reload", help="While developing: run handlers anew when their code changes."),
]
_LOOK_S: Final = 0.5
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


@contextlib.asynccontextmanager
async def reloading_code(settings: Settings, handlers: HandlerProcesses) -> AsyncIterator[None]:
    """Restart `handlers` whenever code of theirs has changed."""
    directories = watched(settings)
    before = await asyncio.to_thread(stamps, directories)
    watch = partial(_restart_when_changed, handlers, directories, before)
    get_logger("yizhan.handlers").info("code_watched", directories=[str(d) for d in directories])
    async with supervision.running(watch, name="code-watch"):
        yield


def watched(settings: Settings) -> Sequence[Path]:
    """The directories in which code of the handlers lies; imports their modules."""
    found = [Path.cwd()]
    for handler in configured_handlers(settings.handlers):
        file = getattr(sys.modules.get(handler.function.__module__), "__file__", None)
        directory = Path(file or ".").resolve().parent
        inside = any(directory.is_relative_to(other) for other in found)
        if not inside and not _LEFT_OUT.intersection(directory.parts):
            found.append(directory)
    return found


def stamps(directories: Sequence[Path]) -> Mapping[Path, int]:
    """When each Python file below the directories was changed last, in nanoseconds."""
    found: dict[Path, int] = {}
    for file in (file for directory in directories for file in _python_files(directory)):
        with contextlib.suppress(OSError):  # it was removed meanwhile
            found[file] = file.stat().st_mtime_ns
    return found


def _python_files(directory: Path) -> Iterator[Path]:
    for parent, names, files in os.walk(directory):
        here = Path(parent)
        names[:] = [
            name
            for name in names
            if not (name.startswith(".") or name in _LEFT_OUT)
            and not (here / name / "pyvenv.cfg").exists()
        ]
        yield from (here / name for name in files if name.endswith(".py"))


async def _restart_when_changed(
    handlers: HandlerProcesses, directories: Sequence[Path], before: Mapping[Path, int]
) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        now = await asyncio.to_thread(stamps, directories)
        if now == before:
            continue
        changed = sorted(file.name for file, _ in now.items() ^ before.items())
        before = now
        get_logger("yizhan.handlers").info("code_changed", files=list(dict.fromkeys(changed)))
        await handlers.restart()
